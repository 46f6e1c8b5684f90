//! CheckpointDurableExecution and GetDurableExecutionState.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{encode, execution_path, server_by_hand};

fn step(id: &str, action: &str) -> Value {
    json!({ "Id": id, "Type": "STEP", "SubType": "Step", "Name": format!("step {id}"), "Action": action })
}

#[tokio::test]
async fn a_checkpoint_is_answered_with_a_new_token_and_whole_operations_in_seconds() {
    let (server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", None, &json!({})).await;
    let invocation = invocations.next().await;
    let path = execution_path(&arn, "/checkpoint");
    let body = json!({
        "CheckpointToken": invocation.input.checkpoint_token,
        "Updates": [
            step("a", "START"),
            { "Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": { "WaitSeconds": 60.7 } },
        ],
        "ClientToken": "once",
    });
    let answer = client.post(&path, &body).await.ok();
    let token = answer["CheckpointToken"].as_str().unwrap();
    assert_ne!(token, invocation.input.checkpoint_token);
    let operations = answer["NewExecutionState"]["Operations"].as_array().unwrap();
    assert_eq!(operations.len(), 2);
    assert_eq!(operations[0]["Status"], "STARTED");
    assert_eq!(operations[0]["Name"], "step a");
    let started = operations[1]["StartTimestamp"].as_f64().unwrap();
    let due = operations[1]["WaitDetails"]["ScheduledEndTimestamp"].as_f64().unwrap();
    assert!((due - started - 60.0).abs() < 0.01, "fractions of a second are cut off: {started} {due}");
    assert!(started > 1.7e9 && started < 1.0e10, "seconds since the epoch: {started}");
    assert!(answer["NewExecutionState"].get("NextMarker").is_none());

    // The same request again is the same answer; the used token with another client token is stale.
    assert_eq!(client.post(&path, &body).await.ok(), answer);
    let mut other = body.clone();
    other["ClientToken"] = "twice".into();
    let message = client.post(&path, &other).await.refused(400, "InvalidParameterValueException", "message");
    assert!(message.starts_with("Invalid Checkpoint Token"), "{message}");

    // No updates at all: a refresh. The checkpoint that ends the execution has no token any more.
    let refreshed = client.post(&path, &json!({ "CheckpointToken": token })).await.ok();
    assert_eq!(refreshed["NewExecutionState"]["Operations"], json!([]));
    let end = json!({ "Id": "any", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": "1" });
    let body = json!({ "CheckpointToken": refreshed["CheckpointToken"], "Updates": [end] });
    let ended = client.post(&path, &body).await.ok();
    assert!(ended.get("CheckpointToken").is_none(), "{ended}");
    assert_eq!(client.execution(&arn).await["Result"], "1");
    invocation.succeed("");
    server.shutdown(crate::support::LIMIT).await;
}

#[tokio::test]
async fn each_sdk_reads_of_a_stale_token_in_the_words_that_it_knows() {
    let (_server, client, _invocations) = server_by_hand().await;
    let arn = client.start("f", None, &json!({})).await;
    for (agent, words) in [
        ("aws-sdk-rust/1.5.0 aws-durable-execution-sdk-js/2.4.0", "Invalid Checkpoint Token: "),
        ("Boto3/1.43.11 aws-durable-execution-sdk-python/1.7.0", "Invalid Checkpoint Token: "),
        ("Boto3/1.43.11 aws-durable-execution-sdk-python/2.0.0", "Invalid Checkpoint Token: "),
        ("Boto3/1.44.5 aws-durable-execution-sdk-python/2.0.1", "Invalid checkpoint token: "),
        ("Boto3/1.44.5 aws-durable-execution-sdk-python/3.0.0-bundled", "Invalid checkpoint token: "),
    ] {
        let headers = [("user-agent", agent)];
        let body = json!({ "CheckpointToken": "c3RhbGU=" }).to_string();
        let path = execution_path(&arn, "/checkpoint");
        let refused = client.send(Method::POST, &path, &headers, body.as_bytes()).await;
        let message = refused.refused(400, "InvalidParameterValueException", "message");
        assert!(message.starts_with(words), "{agent}: {message}");

        let path = execution_path(&arn, "/state?CheckpointToken=c3RhbGU%3D");
        let refused = client.send(Method::GET, &path, &headers, b"").await;
        let message = refused.refused(400, "InvalidParameterValueException", "message");
        assert!(message.starts_with(words), "{agent}: {message}");
    }
}

#[tokio::test]
async fn an_invalid_batch_is_refused_as_a_whole() {
    let (_server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", None, &json!({})).await;
    let invocation = invocations.next().await;
    let path = execution_path(&arn, "/checkpoint");
    let token = &invocation.input.checkpoint_token;
    let invalid = "InvalidParameterValueException";
    for (updates, words) in [
        (json!([step("a", "START"), step("a", "START")]), "same ID"),
        (json!([step("a", "START"), { "Id": "b", "Type": "WAIT", "Action": "SUCCEED" }]), "Invalid action"),
        (json!([{ "Id": "a", "Type": "STEP" }]), "Action"),
        (json!([{ "Id": "a", "Type": "STEP", "Action": "DANCE" }]), "DANCE"),
        (json!("all"), "sequence"),
    ] {
        let body = json!({ "CheckpointToken": token, "Updates": updates });
        let message = client.post(&path, &body).await.refused(400, invalid, "message");
        assert!(message.contains(words), "{message}");
    }
    let message = client.post(&path, &json!({ "Updates": [] })).await.refused(400, invalid, "message");
    assert!(message.contains("CheckpointToken"), "{message}");
    // Nothing of all that was kept, and the token is still good.
    let body = json!({ "CheckpointToken": token, "Updates": [step("a", "START")] });
    assert_eq!(client.post(&path, &body).await.ok()["NewExecutionState"]["Operations"][0]["Id"], "a");
}

#[tokio::test]
async fn the_state_is_read_page_by_page_without_consuming_the_token() {
    let (_server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", None, &json!({"n": 1})).await;
    let invocation = invocations.next().await;
    let updates: Vec<Value> = (0..7).map(|number| step(&format!("s{number}"), "START")).collect();
    let body = json!({ "CheckpointToken": invocation.input.checkpoint_token, "Updates": updates });
    let answer = client.post(&execution_path(&arn, "/checkpoint"), &body).await.ok();
    let token = encode(answer["CheckpointToken"].as_str().unwrap());

    let mut ids = Vec::new();
    let mut marker = String::new();
    let mut pages = 0;
    loop {
        let query = format!("/state?CheckpointToken={token}&MaxItems=3{marker}");
        let page = client.get(&execution_path(&arn, &query)).await.ok();
        pages += 1;
        for operation in page["Operations"].as_array().unwrap() {
            ids.push(operation["Id"].as_str().unwrap().to_owned());
        }
        match page.get("NextMarker") {
            Some(next) => marker = format!("&Marker={}", encode(next.as_str().unwrap())),
            None => break,
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(arn.rsplit('/').next(), Some(ids[0].as_str()), "the execution itself comes first");
    assert_eq!(ids[1..], ["s0", "s1", "s2", "s3", "s4", "s5", "s6"]);

    let invalid = "InvalidParameterValueException";
    let state = |query: &str| execution_path(&arn, &format!("/state{query}"));
    client.get(&state("")).await.refused(400, invalid, "message");
    client.get(&state("?CheckpointToken=abc")).await.refused(400, invalid, "message");
    let query = format!("?CheckpointToken={token}&MaxItems=1001");
    client.get(&state(&query)).await.refused(400, invalid, "message");
    let query = format!("?CheckpointToken={token}&Marker=nonsense");
    assert_eq!(client.get(&state(&query)).await.refused(400, invalid, "message"), "Invalid marker");
}
