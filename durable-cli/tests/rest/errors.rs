//! Requests that are none, and who may send them.

use durable_cli::DevServer;
use reqwest::Method;
use serde_json::json;

use crate::support::{Client, by_hand, encode, execution_path, server_by_hand};

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
    let port = server.address().port();
    let other_port = format!("http://localhost:{}", port ^ 1);
    for headers in [
        ("origin", "https://example.com"),
        ("origin", "null"),
        ("origin", other_port.as_str()),
        ("host", "rebound.example.com"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = client.send(Method::GET, path, &[headers], b"").await;
        answer.refused(403, "AccessDeniedException", "Message");
    }
    let own = format!("http://localhost:{port}");
    let signed = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0";
    let headers = [("origin", own.as_str()), ("sec-fetch-site", "same-origin"), ("authorization", signed)];
    assert_eq!(client.send(Method::GET, path, &headers, b"").await.ok(), json!({ "DurableExecutions": [] }));
}

#[tokio::test]
async fn a_web_page_can_neither_post_without_asking_nor_gets_permission() {
    let (_server, client, _invocations) = server_by_hand().await;
    let path = "/2015-03-31/functions/f/invocations?Qualifier=$LATEST";
    // What a form sends, and what `fetch` sends without asking first.
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let origin = ("origin", "https://example.com");
        for page in [vec![origin], vec![("sec-fetch-site", "cross-site")]] {
            let headers = [page, vec![("content-type", content_type)]].concat();
            let answer = client.send(Method::POST, path, &headers, b"{}").await;
            answer.refused(403, "AccessDeniedException", "Message");
        }
    }
    let ask = [
        ("origin", "https://example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-amz-invocation-type"),
    ];
    let answer = client.send(Method::OPTIONS, path, &ask, b"").await;
    answer.refused(403, "AccessDeniedException", "Message");
    for name in
        ["access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers"]
    {
        assert_eq!(answer.header(name), None);
    }
    let list = client.get("/2025-12-01/functions/f/durable-executions").await.ok();
    assert_eq!(list["DurableExecutions"], json!([]));
}

#[tokio::test]
async fn a_name_that_was_allowed_is_a_host() {
    let (workflow, _invocations) = by_hand("f");
    let server = DevServer::builder().workflow(workflow).allow_host("durable.test").start().await.unwrap();
    let client = Client::new(server.url());
    let path = "/_durable/health";
    for (host, status) in [("durable.test:9014", 200), ("other.test", 403), ("10.0.0.1", 403)] {
        assert_eq!(client.send(Method::GET, path, &[("host", host)], b"").await.status, status, "{host}");
    }
}

#[tokio::test]
async fn headers_and_bodies_of_the_wrong_kind_are_refused() {
    let (_server, client, invocations) = server_by_hand().await;
    let invalid = "InvalidParameterValueException";
    for header in [
        ("x-amz-tenant-id", "<tenant>"),
        ("x-amz-durable-execution-name", "n\u{e9}"),
        ("x-amz-log-type", "All"),
        ("x-amz-tenant-id", "\u{1f600}"),
    ] {
        client.invoke("f", &[header], b"{}").await.refused(400, invalid, "message");
    }
    let arn = client.start("f", None, &json!({})).await;
    let running = invocations.next().await;
    for body in ["[]", "[\"message\"]", "\"text\"", "1", "{\"StackTrace\": \"line\"}"] {
        let stop = execution_path(&arn, "/stop");
        client.send(Method::POST, &stop, &[], body.as_bytes()).await.refused(400, invalid, "message");
    }
    assert_eq!(client.execution(&arn).await["Status"], "RUNNING");
    running.succeed("1");
}
