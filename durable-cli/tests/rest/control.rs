//! PauseDurableExecution, ResumeDurableExecution and DeleteDurableExecution.

use reqwest::Method;
use serde_json::json;

use crate::support::{execution_path, server_by_hand};

const INVALID: &str = "InvalidParameterValueException";
const NOT_FOUND: &str = "ResourceNotFoundException";
const CONFLICT: &str = "ResourceConflictException";

#[tokio::test]
async fn a_paused_execution_says_so_and_goes_on_when_it_is_resumed() {
    let (_server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", None, &json!({})).await;
    let invocation = invocations.next().await;
    let body = json!({ "Reason": "lunch", "ClientToken": "one" });
    let paused = client.post(&execution_path(&arn, "/pause"), &body).await;
    assert_eq!((paused.status, paused.json()), (202, json!({})));
    let again = client.post(&execution_path(&arn, "/pause"), &body).await;
    assert_eq!(again.status, 202, "the same request");
    let other = json!({ "ClientToken": "two" });
    client.post(&execution_path(&arn, "/pause"), &other).await.refused(409, CONFLICT, "message");
    let pausing = client.execution(&arn).await;
    assert_eq!(pausing["Status"], "PAUSING");
    assert_eq!(pausing["PauseDetails"]["Reason"], "lunch");
    assert_eq!(pausing["PauseDetails"]["ExecutionTimeoutPaused"], true);
    assert!(pausing["PauseDetails"]["PauseRequestTimestamp"].as_f64().unwrap() > 1.7e9);
    let bare = client.get(&execution_path(&arn, "?IncludeExecutionData=false")).await.ok();
    assert!(bare["PauseDetails"].get("Reason").is_none(), "{bare}");

    // Its next checkpoint counts, and ends the invocation.
    let wait = json!({ "Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": { "WaitSeconds": 1 } });
    let body = json!({ "CheckpointToken": invocation.input.checkpoint_token, "Updates": [wait] });
    let refused = client.post(&execution_path(&arn, "/checkpoint"), &body).await;
    let words = refused.refused(400, INVALID, "message");
    assert_eq!(words, "Invalid Checkpoint Token: the execution was paused");
    invocation.succeed("\"of no account\"");
    client.event(&arn, "InvocationCompleted").await;
    client.event(&arn, "WaitSucceeded").await;
    assert_eq!(client.execution(&arn).await["Status"], "PAUSED");
    let list = client.get("/2025-12-01/functions/f/durable-executions?Statuses=PAUSED").await.ok();
    assert_eq!(list["DurableExecutions"][0]["DurableExecutionArn"], arn.as_str());

    // The body is optional.
    let resumed = client.send(Method::POST, &execution_path(&arn, "/resume"), &[], b"").await;
    assert_eq!((resumed.status, resumed.json()), (202, json!({})));
    let invocation = invocations.next().await;
    assert_eq!(invocation.input.initial_execution_state.operations.len(), 2);
    assert!(client.execution(&arn).await.get("PauseDetails").is_none());
    invocation.succeed("\"done\"");
    assert_eq!(client.ended(&arn).await["Result"], "\"done\"");
    let events = client.events(&arn).await;
    let paused = events.iter().find(|event| event["EventType"] == "ExecutionPaused").unwrap();
    assert_eq!(paused["ExecutionPausedDetails"]["Reason"], json!({ "Payload": "lunch", "Truncated": false }));
    assert!(events.iter().any(|event| event["EventType"] == "ExecutionResumed"));
    client.post(&execution_path(&arn, "/resume"), &json!({})).await.refused(409, CONFLICT, "message");
}

#[tokio::test]
async fn an_execution_is_deleted_once_it_has_ended() {
    let (_server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", Some("x"), &json!({})).await;
    let path = execution_path(&arn, "");
    let delete = || client.send(Method::DELETE, &path, &[], b"");
    let refused = delete().await.refused(409, CONFLICT, "message");
    assert!(refused.contains("only one that has ended"), "{refused}");
    invocations.next().await.succeed("1");
    client.ended(&arn).await;
    let deleted = delete().await;
    assert_eq!(deleted.status, 202);
    assert!(deleted.json()["DeletionRequestTimestamp"].as_f64().unwrap() > 1.7e9);
    client.get(&path).await.refused(404, NOT_FOUND, "Message");
    delete().await.refused(404, NOT_FOUND, "Message");
    let list = "/2025-12-01/functions/f/durable-executions";
    assert_eq!(client.get(list).await.ok(), json!({ "DurableExecutions": [] }));
    assert_ne!(client.start("f", Some("x"), &json!({ "other": true })).await, arn, "the name is free");
    let deleting = client.get(&format!("{list}?Statuses=DELETING")).await.ok();
    assert_eq!(deleting, json!({ "DurableExecutions": [] }), "deleting takes no time");
    assert_eq!(client.get(&format!("{list}?Statuses=DELETING&Statuses=RUNNING")).await.ok(), {
        client.get(list).await.ok()
    });
}

#[tokio::test]
async fn requests_that_are_none_are_refused() {
    let (_server, client, _invocations) = server_by_hand().await;
    let arn = client.start("f", None, &json!({})).await;
    for body in [
        json!({ "Reason": "x".repeat(1025) }),
        json!({ "ClientToken": "with space" }),
        json!({ "ClientToken": "" }),
        json!({ "ExecutionTimeoutPaused": "yes" }),
        json!(["lunch"]),
    ] {
        client.post(&execution_path(&arn, "/pause"), &body).await.refused(400, INVALID, "message");
    }
    let unknown = arn.replace("/durable-execution/", "/durable-execution/x");
    for what in ["/pause", "/resume"] {
        client.post(&execution_path(&unknown, what), &json!({})).await.refused(404, NOT_FOUND, "Message");
        client.post(&execution_path("no-arn", what), &json!({})).await.refused(400, INVALID, "message");
    }
    let no_arn = execution_path("no-arn", "");
    client.send(Method::DELETE, &no_arn, &[], b"").await.refused(400, INVALID, "message");
    assert_eq!(client.execution(&arn).await["Status"], "RUNNING");
}
