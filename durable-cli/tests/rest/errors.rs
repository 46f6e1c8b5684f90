//! Requests that are none, and who may send them.

use reqwest::Method;
use serde_json::json;

use crate::support::{encode, server_by_hand};

#[tokio::test]
async fn paths_and_methods_that_are_no_operation_are_refused() {
    let (_server, client, _invocations) = server_by_hand().await;
    let unknown = "UnknownOperationException";
    let arn = "arn:aws:lambda:local:000000000000:function:f:$LATEST/durable-execution/n/1-0000000000000001";
    for path in [
        "/",
        "/2025-12-01/durable-executions",
        "/2025-12-01/durable-executions/a/b/c",
        "/2015-03-31/functions/",
    ] {
        client.get(path).await.refused(404, unknown, "Message");
    }
    // Not encoded, the ARN falls apart into segments.
    let message =
        client.get(&format!("/2025-12-01/durable-executions/{arn}")).await.refused(404, unknown, "Message");
    assert!(message.contains("percent-encoded"), "{message}");
    let path = format!("/2025-12-01/durable-executions/{}/stop", encode(arn));
    client.send(Method::GET, &path, &[], b"").await.refused(404, unknown, "Message");
    let path = "/2025-12-01/functions/%FF/durable-executions";
    client.get(path).await.refused(400, "InvalidParameterValueException", "message");
}

#[tokio::test]
async fn web_pages_are_refused_and_signatures_ignored() {
    let (server, client, _invocations) = server_by_hand().await;
    let path = "/2025-12-01/functions/f/durable-executions";
    for headers in [[("origin", "https://example.com")], [("host", "rebound.example.com")]] {
        let answer = client.send(Method::GET, path, &headers, b"").await;
        answer.refused(403, "AccessDeniedException", "Message");
    }
    let own = format!("http://localhost:{}", server.address().port());
    let signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
    let headers = [("origin", own.as_str()), ("authorization", signed)];
    assert_eq!(client.send(Method::GET, path, &headers, b"").await.ok(), json!({ "DurableExecutions": [] }));
}
