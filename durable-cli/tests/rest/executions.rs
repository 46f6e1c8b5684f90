//! GetDurableExecution, GetDurableExecutionHistory, ListDurableExecutionsByFunction and StopDurableExecution.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Client, encode, execution_path, server_by_hand};

const INVALID: &str = "InvalidParameterValueException";
const NOT_FOUND: &str = "ResourceNotFoundException";

#[tokio::test]
async fn an_execution_is_described_while_it_runs_and_after_its_end() {
    let (_server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", Some("order-1"), &json!({"n": 1})).await;
    let running = client.execution(&arn).await;
    assert_eq!(running["DurableExecutionArn"], arn.as_str());
    assert_eq!(running["DurableExecutionName"], "order-1");
    assert_eq!(running["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST");
    assert_eq!(running["Status"], "RUNNING");
    assert_eq!(running["InputPayload"], "{\"n\":1}");
    assert_eq!(running["Version"], "$LATEST");
    assert!(running["StartTimestamp"].as_f64().unwrap() > 1.7e9);
    for absent in ["EndTimestamp", "Result", "Error"] {
        assert!(running.get(absent).is_none(), "{running}");
    }

    invocations.next().await.succeed("\"done\"");
    let ended = client.ended(&arn).await;
    assert_eq!(ended["Status"], "SUCCEEDED");
    assert_eq!(ended["Result"], "\"done\"");
    assert!(ended["EndTimestamp"].as_f64().unwrap() >= ended["StartTimestamp"].as_f64().unwrap());

    let bare = client.get(&execution_path(&arn, "?IncludeExecutionData=false")).await.ok();
    assert!(bare.get("InputPayload").is_none() && bare.get("Result").is_none(), "{bare}");
    assert_eq!(bare["ExecutionDataIncluded"], false);
}

#[tokio::test]
async fn the_history_has_pages_in_both_directions_and_can_leave_the_data_out() {
    let (_server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", None, &json!({})).await;
    let invocation = invocations.next().await;
    let updates: Vec<Value> = (0..4)
        .map(|number| json!({ "Id": format!("s{number}"), "Type": "STEP", "Action": "SUCCEED", "Payload": "7" }))
        .collect();
    let body = json!({ "CheckpointToken": invocation.input.checkpoint_token, "Updates": updates });
    client.post(&execution_path(&arn, "/checkpoint"), &body).await.ok();
    invocation.succeed("1");
    client.ended(&arn).await;

    let events = client.events(&arn).await;
    let ids: Vec<u64> = events.iter().map(|event| event["EventId"].as_u64().unwrap()).collect();
    assert_eq!(ids, (1..=7).collect::<Vec<_>>());
    assert_eq!(events[0]["EventType"], "ExecutionStarted");
    assert_eq!(events[0]["ExecutionStartedDetails"]["Input"]["Payload"], "{}");
    assert_eq!(events[5]["EventType"], "InvocationCompleted");
    assert!(events[5]["InvocationCompletedDetails"]["EndTimestamp"].as_f64().unwrap() > 1.7e9);
    assert_eq!(events[6]["EventType"], "ExecutionSucceeded");

    assert_eq!(event_ids(&client, &arn, "MaxItems=3").await, [vec![1, 2, 3], vec![4, 5, 6], vec![7]]);
    let newest_first = event_ids(&client, &arn, "MaxItems=3&ReverseOrder=true").await;
    assert_eq!(newest_first, [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);

    let bare = client.get(&execution_path(&arn, "/history?IncludeExecutionData=false")).await.ok();
    let details = &bare["Events"][1]["StepSucceededDetails"];
    assert_eq!(details["Result"], json!({ "Truncated": true }));
    assert_eq!(details["RetryDetails"], json!({ "CurrentAttempt": 1 }));
    let query = execution_path(&arn, "/history?Marker=x");
    assert_eq!(client.get(&query).await.refused(400, INVALID, "message"), "Invalid marker");
}

/// The event ids of every page.
async fn event_ids(client: &Client, arn: &str, query: &str) -> Vec<Vec<u64>> {
    let mut pages = Vec::new();
    let mut marker = String::new();
    loop {
        let page = client.get(&execution_path(arn, &format!("/history?{query}{marker}"))).await.ok();
        let events = page["Events"].as_array().unwrap();
        pages.push(events.iter().map(|event| event["EventId"].as_u64().unwrap()).collect());
        match page.get("NextMarker") {
            Some(next) => marker = format!("&Marker={}", next.as_str().unwrap()),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn executions_are_listed_by_function_with_filters_and_pages() {
    let (_server, client, invocations) = server_by_hand().await;
    let empty = client.get("/2025-12-01/functions/f/durable-executions").await.ok();
    assert_eq!(empty, json!({ "DurableExecutions": [] }));
    let mut arns = Vec::new();
    for number in 0..5 {
        arns.push(client.start("f", Some(&format!("e{number}")), &json!({})).await);
        let invocation = invocations.next().await;
        if number < 2 {
            invocation.succeed("1");
            client.ended(&arns[number]).await;
        }
    }

    assert_eq!(names(&client, "f", "").await, ["e4", "e3", "e2", "e1", "e0"], "newest first");
    assert_eq!(names(&client, "f", "?ReverseOrder=true").await, ["e0", "e1", "e2", "e3", "e4"]);
    let full_arn = encode("arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST");
    assert_eq!(names(&client, &full_arn, "?Statuses=SUCCEEDED").await, ["e1", "e0"]);
    assert_eq!(names(&client, "f", "?Statuses=SUCCEEDED&Statuses=RUNNING&MaxItems=2").await.len(), 5);
    assert_eq!(names(&client, "f", "?Statuses=FAILED&Statuses=STOPPED").await, Vec::<String>::new());
    assert_eq!(names(&client, "f", "?DurableExecutionName=e3").await, ["e3"]);
    assert_eq!(names(&client, "f", "?StartedAfter=2100-01-01T00%3A00%3A00Z").await.len(), 0);
    assert_eq!(names(&client, "f", "?StartedBefore=2100-01-01T00%3A00%3A00Z&MaxItems=4").await.len(), 5);

    let list =
        client.get("/2025-12-01/functions/f/durable-executions?MaxItems=1&ReverseOrder=true").await.ok();
    let item = &list["DurableExecutions"][0];
    assert_eq!(item["DurableExecutionArn"], arns[0].as_str());
    assert_eq!(item["Status"], "SUCCEEDED");
    assert!(item["EndTimestamp"].as_f64().is_some());
    assert!(item.get("InputPayload").is_none());

    let path = |query: &str| format!("/2025-12-01/functions/f/durable-executions?{query}");
    for query in
        ["Statuses=PENDING", "MaxItems=5000", "StartedAfter=yesterday", "Marker=x", "ReverseOrder=maybe"]
    {
        client.get(&path(query)).await.refused(400, INVALID, "message");
    }
    let unknown = client.get("/2025-12-01/functions/g/durable-executions").await;
    assert!(unknown.refused(404, NOT_FOUND, "Message").contains(":function:g"));
}

/// The names on every page, in order.
async fn names(client: &Client, function: &str, query: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut marker = String::new();
    loop {
        let path = format!("/2025-12-01/functions/{function}/durable-executions{query}{marker}");
        let page = client.get(&path).await.ok();
        for execution in page["DurableExecutions"].as_array().unwrap() {
            names.push(execution["DurableExecutionName"].as_str().unwrap().to_owned());
        }
        match page.get("NextMarker") {
            Some(next) => {
                let sign = if query.is_empty() { '?' } else { '&' };
                marker = format!("{sign}Marker={}", next.as_str().unwrap());
            }
            None => break,
        }
    }
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    names
}

#[tokio::test]
async fn a_stop_ends_the_execution_once() {
    let (_server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", None, &json!({})).await;
    let invocation = invocations.next().await;
    let error = json!({ "ErrorType": "Cancelled", "ErrorMessage": "by hand" });
    let stopped = client.post(&execution_path(&arn, "/stop"), &error).await.ok();
    assert!(stopped["StopTimestamp"].as_f64().unwrap() > 1.7e9);
    let execution = client.execution(&arn).await;
    assert_eq!(execution["Status"], "STOPPED");
    assert_eq!(execution["Error"], error);
    // The invocation in flight is not interrupted, but it can't checkpoint any more.
    let body = json!({ "CheckpointToken": invocation.input.checkpoint_token });
    let refused = client.post(&execution_path(&arn, "/checkpoint"), &body).await;
    assert!(refused.refused(400, INVALID, "message").starts_with("Invalid Checkpoint Token"));
    let again = client.post(&execution_path(&arn, "/stop"), &json!({})).await.ok();
    assert_eq!(again, stopped);

    let arn = client.start("f", None, &json!({})).await;
    client.post(&execution_path(&arn, "/stop"), &json!({})).await.ok();
    assert!(client.execution(&arn).await["Error"]["ErrorMessage"].is_string(), "there is a default");
}

#[tokio::test]
async fn what_is_no_execution_is_not_found_and_what_is_no_arn_is_invalid() {
    let (_server, client, _invocations) = server_by_hand().await;
    let unknown =
        "arn:aws:lambda:local:000000000000:function:f:$LATEST/durable-execution/n/1-0000000000000001";
    for rest in ["", "/history"] {
        client.get(&execution_path(unknown, rest)).await.refused(404, NOT_FOUND, "Message");
        client.get(&execution_path("order-1", rest)).await.refused(400, INVALID, "message");
    }
    client.post(&execution_path(unknown, "/stop"), &json!({})).await.refused(404, NOT_FOUND, "Message");
    // These two do not model "not found".
    let token = "0".repeat(48);
    let body = json!({ "CheckpointToken": token });
    client.post(&execution_path(unknown, "/checkpoint"), &body).await.refused(400, INVALID, "message");
    let state = format!("/state?CheckpointToken={token}");
    client.get(&execution_path(unknown, &state)).await.refused(400, INVALID, "message");
}
