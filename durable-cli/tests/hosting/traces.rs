//! Which trace an invocation belongs to.

use serde_json::{Value, json};

use crate::support::{Client, scripted, server_with};

const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
const GIVEN: [(&str, &str); 1] = [("x-amzn-trace-id", TRACE)];

async fn invoked(client: &Client, headers: &[(&str, &str)], input: &Value) -> (Value, Value) {
    let answer = client.invoke("f", headers, input.to_string().as_bytes()).await;
    let arn = answer.header("x-amz-durable-execution-arn").unwrap();
    (answer.ok(), client.execution(arn).await["TraceHeader"]["XAmznTraceId"].clone())
}

#[tokio::test]
async fn a_trace_is_told_in_every_invocation_and_to_the_functions_that_are_invoked() {
    let (_server, client) = server_with(scripted()).await;
    let header = json!({ "header": "lambda-runtime-trace-id" });
    let replayed = json!({ "script": [{ "wait": 1 }, header] });
    assert_eq!(invoked(&client, &GIVEN, &replayed).await, (json!(TRACE), json!(TRACE)));
    let child = json!({ "script": [{ "invoke": "f:$LATEST", "input": { "script": [header] } }] });
    assert_eq!(invoked(&client, &GIVEN, &child).await.0, TRACE);

    // Without one, or with what is none, an execution has a trace of its own.
    let own = json!({ "script": [header] });
    let mut seen = Vec::new();
    for headers in [&[][..], &[("x-amzn-trace-id", "Root=2")]] {
        let (told, known) = invoked(&client, headers, &own).await;
        assert_eq!(told, known);
        assert!(told.as_str().unwrap().starts_with("Root=1-"), "{told}");
        seen.push(told);
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_trace_is_told_to_a_plain_function() {
    let mut config = scripted();
    config.durable = false;
    let (_server, client) = server_with(config).await;
    let told = client.invoke("f", &GIVEN, br#"{"header": "lambda-runtime-trace-id"}"#).await;
    assert_eq!(told.ok(), TRACE);
}
