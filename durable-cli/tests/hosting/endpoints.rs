//! Functions behind HTTP endpoints that speak Invoke: here, another server's.

use durable_cli::{DevServer, FunctionConfig};
use serde_json::json;

use crate::support::{Client, scripted, server_with};

/// A server whose function `f` is a plain function of another server.
async fn two_servers() -> (DevServer, DevServer, Client) {
    let mut config = scripted();
    config.durable = false;
    let (behind, _) = server_with(config).await;
    let url = format!("{}/2015-03-31/functions/f/invocations", behind.url());
    let (front, client) = server_with(FunctionConfig::url(url)).await;
    (behind, front, client)
}

#[tokio::test]
async fn an_endpoint_gets_the_envelope_and_its_answer_counts() {
    let (_behind, _front, client) = two_servers().await;
    // To the function behind, an envelope is a durable invocation; its checkpoints go to its own server, so that
    // only scripts without operations can run here.
    assert_eq!(client.run("f", &json!({ "script": [{ "return": 5 }] })).await, 5);
    let arn = client.start("f", None, &json!({ "script": [{ "fail": "Declined" }] })).await;
    assert_eq!(client.ended(&arn).await["Error"]["ErrorType"], "Declined");
    let arn = client.start("f", None, &json!({ "script": [{ "throw": "Broken" }] })).await;
    let event = client.event(&arn, "InvocationCompleted").await;
    assert_eq!(event["InvocationCompletedDetails"]["Error"]["Payload"]["ErrorType"], "Broken");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_fails_the_invocation() {
    let (behind, _front, client) = two_servers().await;
    behind.shutdown(crate::support::LIMIT).await;
    let arn = client.start("f", None, &json!({ "script": [] })).await;
    let event = client.event(&arn, "InvocationCompleted").await;
    let error = &event["InvocationCompletedDetails"]["Error"]["Payload"];
    assert_eq!(error["ErrorType"], "EndpointError");
    assert!(error["ErrorMessage"].as_str().unwrap().contains("refused"), "{error}");
}
