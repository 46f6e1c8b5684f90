//! Clients that take their time, or send too much.

use std::{net::SocketAddr, time::Duration};

use durable_cli::DevServer;
use reqwest::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::{LIMIT, by_hand, callback_path, encode, execution_path, server_by_hand};

const PATIENCE: Duration = Duration::from_millis(300);
const ARN: &str =
    "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST/durable-execution/n/1-0000000000000001";

async fn impatient_server() -> DevServer {
    let (workflow, _) = by_hand("f");
    DevServer::builder().workflow(workflow).patience(PATIENCE).start().await.expect("the server starts")
}

/// Everything that the server answers to `bytes`, until it closes the connection.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(LIMIT, connection.read_to_end(&mut answer)).await;
    // A reset is an end, too.
    let _ = read.expect("the server closes the connection");
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn connections_on_which_nothing_comes_are_closed() {
    let server = impatient_server().await;
    for beginning in
        ["", "GET /_durable/health HT", "GET /_durable/health HTTP/1.1\r\nhost: localhost\r\nx: "]
    {
        assert_eq!(answer_to(server.address(), beginning.as_bytes()).await, "", "{beginning}");
    }
    // Also after a request that was answered.
    let answer =
        answer_to(server.address(), b"GET /_durable/health HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(r#"{"status":"healthy"}"#), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_refused_in_words() {
    let server = impatient_server().await;
    let path = execution_path(ARN, "/stop");
    for framing in ["content-length: 100\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"] {
        let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{framing}");
        let answer = answer_to(server.address(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("x-amzn-errortype: RequestTimeoutException\r\n"), "{answer}");
        assert!(answer.contains(r#""message":"the body did not come within 0.3 seconds""#), "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_never_reads_its_answer_is_given_up() {
    let server = impatient_server().await;
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    // Answers to more requests than fit into the buffers on the way.
    let request = b"GET /_durable/functions HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(1000);
    let flood = async { while connection.write_all(&request).await.is_ok() {} };
    tokio::time::timeout(LIMIT, flood).await.expect("the server closes the connection");
}

#[tokio::test]
async fn every_route_has_a_limit_for_its_body() {
    let (_server, client, _invocations) = server_by_hand().await;
    let megabyte = 1024 * 1024;
    for (method, path, limit) in [
        (Method::POST, execution_path(ARN, "/checkpoint"), 38 * megabyte),
        (Method::POST, execution_path(ARN, "/stop"), megabyte),
        (Method::POST, callback_path("00", "succeed"), megabyte / 2),
        (Method::POST, callback_path("00", "fail"), megabyte),
        (Method::POST, callback_path("00", "heartbeat"), 64 * 1024),
        (Method::POST, format!("/2015-03-31/functions/{}/invocations", encode("f:$LATEST")), 6 * megabyte),
        (Method::GET, execution_path(ARN, ""), 64 * 1024),
        (Method::GET, "/nowhere".to_owned(), 64 * 1024),
    ] {
        let body = vec![b' '; limit + 1];
        let answer = client.send(method, &path, &[], &body).await;
        answer.refused(413, "RequestTooLargeException", "message");
    }
}
