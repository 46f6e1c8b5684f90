//! SendDurableExecutionCallbackSuccess, -Failure and -Heartbeat.

use durable_runtime::protocol::{ErrorObject, InvocationOutput};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, Invocations, callback_path, execution_path, server_by_hand};

/// Starts an execution that waits for a callback with these options, and gives its ARN and the callback's id.
async fn waiting(client: &Client, invocations: &Invocations, options: Value) -> (String, String) {
    let arn = client.start("f", None, &json!({})).await;
    let invocation = invocations.next().await;
    let update = json!({ "Id": "c", "Type": "CALLBACK", "Action": "START", "CallbackOptions": options });
    let body = json!({ "CheckpointToken": invocation.input.checkpoint_token, "Updates": [update] });
    let answer = client.post(&execution_path(&arn, "/checkpoint"), &body).await.ok();
    let id = &answer["NewExecutionState"]["Operations"][0]["CallbackDetails"]["CallbackId"];
    let id = id.as_str().unwrap().to_owned();
    invocation.answer(InvocationOutput::Pending);
    client.event(&arn, "InvocationCompleted").await;
    (arn, id)
}

#[tokio::test]
async fn a_result_is_kept_byte_for_byte_whatever_its_content_type() {
    let (_server, client, invocations) = server_by_hand().await;
    let (arn, id) = waiting(&client, &invocations, json!({})).await;
    let body = r#"{"status": "approved", "by": "Zoë"}"#;
    let answer = client.send(Method::POST, &callback_path(&id, "succeed"), &[], body.as_bytes()).await;
    assert_eq!(answer.ok(), json!({}));
    let event = client.event(&arn, "CallbackSucceeded").await;
    assert_eq!(event["CallbackSucceededDetails"]["Result"], json!({ "Payload": body, "Truncated": false }));
    let replay = invocations.next().await;
    let details = replay.input.initial_execution_state.operations[1].callback_details.clone().unwrap();
    assert_eq!(details.result.as_deref(), Some(body));
    assert_eq!(replay.input.updated_operation_ids[0].as_str(), "c");
    replay.succeed("1");
    client.ended(&arn).await;

    // Completed once is completed.
    for what in ["succeed", "fail", "heartbeat"] {
        let answer = client.send(Method::POST, &callback_path(&id, what), &[], b"{}").await;
        let message = answer.refused(400, "CallbackTimeoutException", "Message");
        assert!(message.contains(&id), "{message}");
    }
}

#[tokio::test]
async fn an_empty_result_is_none() {
    let (_server, client, invocations) = server_by_hand().await;
    let (arn, id) = waiting(&client, &invocations, json!({})).await;
    client.send(Method::POST, &callback_path(&id, "succeed"), &[], b"").await.ok();
    let event = client.event(&arn, "CallbackSucceeded").await;
    assert_eq!(event["CallbackSucceededDetails"], json!({ "Result": { "Truncated": false } }));
}

#[tokio::test]
async fn an_error_is_the_whole_body_and_may_be_absent() {
    let (_server, client, invocations) = server_by_hand().await;
    let (arn, id) = waiting(&client, &invocations, json!({})).await;
    let error =
        json!({ "ErrorType": "Rejected", "ErrorMessage": "no", "ErrorData": "d", "StackTrace": ["s"] });
    assert_eq!(client.post(&callback_path(&id, "fail"), &error).await.ok(), json!({}));
    let event = client.event(&arn, "CallbackFailed").await;
    assert_eq!(event["CallbackFailedDetails"]["Error"], json!({ "Payload": error, "Truncated": false }));
    let replay = invocations.next().await;
    replay.answer(InvocationOutput::Failed { error: Some(ErrorObject::new("E", "m")) });

    let (arn, id) = waiting(&client, &invocations, json!({})).await;
    client.post(&callback_path(&id, "fail"), &json!({})).await.ok();
    let event = client.event(&arn, "CallbackFailed").await;
    assert_eq!(event["CallbackFailedDetails"]["Error"], json!({ "Truncated": false }));
}

#[tokio::test]
async fn a_heartbeat_changes_nothing_that_can_be_seen_and_a_timeout_closes_the_callback() {
    let (_server, client, invocations) = server_by_hand().await;
    let options = json!({ "TimeoutSeconds": 1, "HeartbeatTimeoutSeconds": 0 });
    let (arn, id) = waiting(&client, &invocations, options).await;
    let before = client.event_types(&arn).await;
    assert_eq!(client.send(Method::POST, &callback_path(&id, "heartbeat"), &[], b"").await.ok(), json!({}));
    assert_eq!(client.event_types(&arn).await, before);
    let event = client.event(&arn, "CallbackTimedOut").await;
    assert_eq!(event["CallbackTimedOutDetails"]["Error"]["Payload"]["ErrorType"], "Callback.Timeout");
    let late = client.send(Method::POST, &callback_path(&id, "succeed"), &[], b"1").await;
    late.refused(400, "CallbackTimeoutException", "Message");
}

#[tokio::test]
async fn what_is_no_callback_and_what_is_no_result_is_refused() {
    let (_server, client, invocations) = server_by_hand().await;
    for id in ["ab+/=", "0000000000000001000000010000000000000001"] {
        let answer = client.send(Method::POST, &callback_path(id, "succeed"), &[], b"1").await;
        let message = answer.refused(404, "ResourceNotFoundException", "Message");
        assert!(message.contains(id), "the id was decoded: {message}");
    }
    let (_, id) = waiting(&client, &invocations, json!({})).await;
    let invalid = "InvalidParameterValueException";
    client
        .send(Method::POST, &callback_path(&id, "succeed"), &[], b"\xff")
        .await
        .refused(400, invalid, "message");
    client
        .send(Method::POST, &callback_path(&id, "fail"), &[], b"[1]")
        .await
        .refused(400, invalid, "message");
    let large = vec![b'x'; 256 * 1024 + 1];
    client
        .send(Method::POST, &callback_path(&id, "succeed"), &[], &large)
        .await
        .refused(400, invalid, "message");
    client.send(Method::POST, &callback_path(&id, "succeed"), &[], b"1").await.ok();
}
