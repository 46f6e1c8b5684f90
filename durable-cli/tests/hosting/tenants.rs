//! What an invoke says besides the payload: tenant and client context.

use std::time::Duration;

use durable_cli::DevServer;
use serde_json::json;

use crate::support::{Client, callback_path, scripted, server_with};

const TENANT: [(&str, &str); 1] = [("x-amz-tenant-id", "tenant-7@example.com")];

#[tokio::test]
async fn a_tenant_is_told_to_a_durable_function_in_every_invocation_and_to_the_functions_it_invokes() {
    let (_server, client) = server_with(scripted()).await;
    let tenant = json!({ "header": "lambda-runtime-aws-tenant-id" });
    let replayed = json!({ "script": [{ "wait": 1 }, tenant] });
    let answer = client.invoke("f", &TENANT, replayed.to_string().as_bytes()).await;
    assert_eq!(answer.ok(), "tenant-7@example.com");
    let child = json!({ "script": [{ "invoke": "f:$LATEST", "input": { "script": [tenant] } }] });
    let answer = client.invoke("f", &TENANT, child.to_string().as_bytes()).await;
    assert_eq!(answer.ok(), "tenant-7@example.com");
    let nobodys = client.run("f", &json!({ "script": [tenant] })).await;
    assert_eq!(nobodys, json!(null));
}

#[tokio::test]
async fn a_tenant_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let start = || DevServer::builder().data(folder.path()).function("f", scripted()).start();
    let server = start().await.unwrap();
    let client = Client::new(server.url());
    let script =
        json!({ "script": [{ "callback": {} }, { "header": "lambda-runtime-aws-tenant-id" }] }).to_string();
    let headers = [TENANT[0], ("x-amz-invocation-type", "Event")];
    let arn = client.invoke("f", &headers, script.as_bytes()).await;
    let arn = arn.header("x-amz-durable-execution-arn").unwrap().to_owned();
    let callback = client.callback_id(&arn).await;
    server.shutdown(Duration::from_secs(10)).await;

    let server = start().await.unwrap();
    let client = Client::new(server.url());
    client.post(&callback_path(&callback, "succeed"), &json!({})).await.ok();
    assert_eq!(client.ended(&arn).await["Result"], "\"tenant-7@example.com\"");
}

#[tokio::test]
async fn a_plain_function_gets_tenant_and_client_context_as_json() {
    let mut config = scripted();
    config.durable = false;
    let (_server, client) = server_with(config).await;
    let tenant = client.invoke("f", &TENANT, br#"{"header": "lambda-runtime-aws-tenant-id"}"#).await;
    assert_eq!(tenant.ok(), "tenant-7@example.com");
    // {"custom":\n{"word": "ja"}}
    let context = [("x-amz-client-context", "eyJjdXN0b20iOgp7IndvcmQiOiAiamEifX0=")];
    let told = client.invoke("f", &context, br#"{"header": "lambda-runtime-client-context"}"#).await;
    assert_eq!(told.ok(), r#"{"custom":{"word":"ja"}}"#);
    for wrong in ["no base64!", "Zm9v", "W10="] {
        let refused = client.invoke("f", &[("x-amz-client-context", wrong)], b"{}").await;
        refused.refused(400, "InvalidParameterValueException", "message");
    }
}
