//! Invoke of durable functions.

use durable_runtime::protocol::{ErrorObject, InvocationOutput};
use reqwest::Method;
use serde_json::json;

use crate::support::{encode, server_by_hand};

const ARN: &str = "x-amz-durable-execution-arn";

#[tokio::test]
async fn a_synchronous_invoke_answers_with_the_result() {
    let (_server, client, invocations) = server_by_hand().await;
    let invoking = client.invoke("f", &[("X-Amz-Durable-Execution-Name", "sync-1")], br#"{"n": 1}"#);
    let answering = async {
        let invocation = invocations.next().await;
        let execution = invocation.input.initial_execution_state.operations[0].clone();
        let details = execution.execution_details.unwrap();
        assert_eq!(details.input_payload.as_deref(), Some(r#"{"n": 1}"#), "byte for byte");
        invocation.succeed(r#"{"ok": true}"#);
    };
    let (answer, ()) = tokio::join!(invoking, answering);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.text, r#"{"ok": true}"#);
    assert_eq!(answer.header("x-amz-executed-version"), Some("$LATEST"));
    assert_eq!(answer.header("x-amz-function-error"), None);
    let arn = answer.header(ARN).unwrap();
    assert!(arn.contains(":function:f:$LATEST/durable-execution/sync-1/"), "{arn}");
    // The history can be read at once, to its last event.
    assert_eq!(client.event_types(arn).await.last().map(String::as_str), Some("ExecutionSucceeded"));
}

#[tokio::test]
async fn a_failure_is_an_answer_with_a_header() {
    let (_server, client, invocations) = server_by_hand().await;
    let answering = async {
        let error = ErrorObject {
            stack_trace: Some(vec!["at a".into()]),
            ..ErrorObject::new("Declined", "no funds")
        };
        invocations.next().await.answer(InvocationOutput::Failed { error: Some(error) });
    };
    let (answer, ()) = tokio::join!(client.invoke("f", &[], b"{}"), answering);
    assert_eq!(answer.header("x-amz-function-error"), Some("Unhandled"));
    assert!(answer.header(ARN).is_some());
    let expected = json!({ "errorType": "Declined", "errorMessage": "no funds", "stackTrace": ["at a"] });
    assert_eq!(answer.ok(), expected);
}

#[tokio::test]
async fn an_event_is_accepted_at_once_and_a_dry_run_starts_nothing() {
    let (_server, client, invocations) = server_by_hand().await;
    let dry = client.invoke("f", &[("X-Amz-Invocation-Type", "DryRun")], b"{}").await;
    assert_eq!((dry.status, dry.text.as_str(), dry.header(ARN)), (204, "", None));
    let event = client.invoke("f", &[("X-Amz-Invocation-Type", "Event")], b"").await;
    assert_eq!((event.status, event.text.as_str()), (202, ""));
    let arn = event.header(ARN).unwrap();
    assert_eq!(client.execution(arn).await["InputPayload"], "{}", "no payload is an empty event");
    assert_eq!(invocations.next().await.input.durable_execution_arn, arn);
    let list = client.get("/2025-12-01/functions/f/durable-executions").await.ok();
    assert_eq!(list["DurableExecutions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_starts_one_execution() {
    let (_server, client, invocations) = server_by_hand().await;
    let arn = client.start("f", Some("once"), &json!({"n": 1})).await;
    invocations.next().await.succeed("7");
    client.ended(&arn).await;
    assert_eq!(client.start("f", Some("once"), &json!({"n": 1})).await, arn);
    // The result of the execution that exists, without another run.
    let named = [("X-Amz-Durable-Execution-Name", "once")];
    let again = client.invoke("f", &named, br#"{"n":1}"#).await;
    assert_eq!((again.header(ARN), again.ok()), (Some(arn.as_str()), json!(7)));
    let other = client.invoke("f", &named, br#"{"n":2}"#).await;
    let message = other.refused(409, "DurableExecutionAlreadyStartedException", "Message");
    assert!(message.contains(&arn), "{message}");
}

#[tokio::test]
async fn functions_are_named_in_every_form_but_need_a_qualifier() {
    let (_server, client, invocations) = server_by_hand().await;
    for (reference, query) in [
        ("f:$LATEST", ""),
        ("arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST", ""),
        ("123456789012:function:f", "?Qualifier=%24LATEST"),
        ("f", "?Qualifier=prod"),
    ] {
        let path = format!("/2015-03-31/functions/{}/invocations{query}", encode(reference));
        let event = [("X-Amz-Invocation-Type", "Event")];
        let answer = client.send(Method::POST, &path, &event, b"{}").await;
        assert_eq!(answer.status, 202, "{reference}: {}", answer.text);
        invocations.next().await.succeed("1");
    }
    for reference in ["f", "arn:aws:lambda:us-east-1:123456789012:function:f"] {
        let path = format!("/2015-03-31/functions/{}/invocations", encode(reference));
        let answer = client.send(Method::POST, &path, &[], b"{}").await;
        let message = answer.refused(400, "InvalidParameterValueException", "message");
        assert!(message.contains("$LATEST"), "{message}");
    }
}

#[tokio::test]
async fn invokes_that_are_none_are_refused() {
    let (_server, client, _invocations) = server_by_hand().await;
    let invalid = "InvalidParameterValueException";
    let message = client.invoke("g", &[], b"{}").await.refused(404, "ResourceNotFoundException", "Message");
    assert!(message.starts_with("Function not found: arn:") && message.contains(":g"), "{message}");
    let message =
        client.invoke("f", &[], b"{n").await.refused(400, "InvalidRequestContentException", "message");
    assert!(message.contains("json"), "{message}");
    client.invoke("f", &[("X-Amz-Invocation-Type", "Later")], b"{}").await.refused(400, invalid, "message");
    let name = [("X-Amz-Durable-Execution-Name", "a name")];
    client.invoke("f", &name, b"{}").await.refused(400, invalid, "message");
    let large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    let too_large = "RequestTooLargeException";
    client.invoke("f", &[], large.as_bytes()).await.refused(413, too_large, "message");
    let event = [("X-Amz-Invocation-Type", "Event")];
    client.invoke("f", &event, &large.as_bytes()[..=1024 * 1024]).await.refused(413, too_large, "message");
}
