//! Plain functions: no envelope, no execution.

use std::time::Duration;

use durable_cli::DevServer;
use serde_json::json;

use crate::support::{Client, scripted};

async fn server(concurrency: usize) -> (DevServer, Client) {
    let mut config = scripted();
    config.durable = false;
    config.concurrency = concurrency;
    let server = DevServer::builder().function("f", config).start().await.expect("the server starts");
    let client = Client::new(server.url());
    (server, client)
}

#[tokio::test]
async fn a_plain_function_gets_its_payload_and_needs_no_qualifier() {
    let (_server, client) = server(1).await;
    let path = "/2015-03-31/functions/f/invocations";
    let answer = client.post(path, &json!({ "return": [1, 2] })).await;
    assert_eq!(answer.ok(), json!([1, 2]));
    assert_eq!(answer.header("x-amz-durable-execution-arn"), None);
    let failed = client.post(path, &json!({ "throw": "Oops" })).await;
    assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));
    assert_eq!(failed.ok()["errorType"], "Oops");
    let died = client.post(path, &json!({ "exit": 3 })).await;
    assert_eq!(died.ok()["errorType"], "Runtime.ExitError");
    assert_eq!(client.post(path, &json!({ "return": 1 })).await.ok(), 1, "a new process");
    let list = client.get("/2025-12-01/functions/f/durable-executions").await.ok();
    assert_eq!(list["DurableExecutions"], json!([]));
}

#[tokio::test]
async fn an_event_runs_after_its_answer() {
    let (_server, client) = server(1).await;
    let event = [("X-Amz-Invocation-Type", "Event")];
    let answer = client.invoke("f", &event, json!({ "sleep": 200 }).to_string().as_bytes()).await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    // The one slot is taken by the event.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let busy = client.invoke("f", &[], br#"{"return": 1}"#).await;
    assert_eq!(busy.refused(429, "TooManyRequestsException", "message"), "Rate Exceeded.");
    assert_eq!(busy.json()["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
    assert!(busy.header("retry-after").is_some());
}
