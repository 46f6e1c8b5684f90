//! Large payloads in S3, against a server that knows as much of S3 as is needed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_sdk_s3::config::{Credentials, Region, retry::RetryConfig};
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::put,
};
use durable_engine::{Engine, StartOptions};
use durable_runtime::{
    environment::Options,
    lambda::S3Payloads,
    payloads::{PayloadStore as _, Payloads},
    prelude::*,
    workflow,
};
use tokio::net::TcpListener;

/// The objects by bucket and key.
type Objects = Arc<Mutex<BTreeMap<String, Bytes>>>;

struct Bucket {
    objects: Objects,
    client: aws_sdk_s3::Client,
}

impl Bucket {
    async fn new() -> Self {
        let objects = Objects::default();
        let app = Router::new()
            .route("/{bucket}/{*key}", put(put_object).get(get_object))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&objects));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = client(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { objects, client }
    }

    fn store(&self) -> S3Payloads {
        S3Payloads::new("bucket").prefix("payloads/").with_client(self.client.clone())
    }

    fn keys(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

fn client(endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .region(Region::new("us-west-2"))
        .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(endpoint)
        .force_path_style(true);
    aws_sdk_s3::Client::from_conf(config.build())
}

async fn put_object(
    State(objects): State<Objects>,
    Path((bucket, key)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if bucket == "locked" {
        return refusal(StatusCode::FORBIDDEN, "AccessDenied");
    }
    assert_eq!(headers["x-amz-server-side-encryption"], "AES256");
    assert!(headers["authorization"].to_str().unwrap().contains("/us-west-2/s3/aws4_request"));
    objects.lock().unwrap().insert(format!("{bucket}/{key}"), body);
    StatusCode::OK.into_response()
}

async fn get_object(State(objects): State<Objects>, Path((bucket, key)): Path<(String, String)>) -> Response {
    match objects.lock().unwrap().get(&format!("{bucket}/{key}")) {
        Some(object) => object.clone().into_response(),
        None => refusal(StatusCode::NOT_FOUND, "NoSuchKey"),
    }
}

fn refusal(status: StatusCode, code: &str) -> Response {
    let body = format!("<Error><Code>{code}</Code><Message>in words</Message></Error>");
    (status, [("content-type", "application/xml")], body).into_response()
}

#[tokio::test]
async fn a_payload_comes_back_as_it_was_put() {
    let bucket = Bucket::new().await;
    let store = bucket.store();
    let large = format!("\"{}é\"", "x".repeat(7 << 20));
    for payload in ["{\"n\":1}", "", &large] {
        store.put("1-7/step-a1".into(), payload.into()).await.unwrap();
        assert_eq!(store.get("1-7/step-a1".into()).await.unwrap().as_str(), payload);
    }
    assert_eq!(bucket.keys(), ["bucket/payloads/1-7/step-a1"]);
}

#[tokio::test]
async fn what_cannot_be_read_or_written_is_an_error_that_says_where() {
    let bucket = Bucket::new().await;
    let missing = bucket.store().get("1-7/none".into()).await.unwrap_err();
    assert_eq!(missing.to_string(), "s3://bucket/payloads/1-7/none: NoSuchKey: in words");
    let locked = S3Payloads::new("locked").with_client(bucket.client.clone());
    let refused = locked.put("1-7/a".into(), "1".into()).await.unwrap_err();
    assert_eq!(refused.to_string(), "s3://locked/1-7/a: AccessDenied: in words");
    bucket.objects.lock().unwrap().insert("bucket/payloads/binary".into(), Bytes::from_static(b"\xff"));
    let binary = bucket.store().get("binary".into()).await.unwrap_err();
    assert!(binary.to_string().contains("utf-8"), "{binary}");
    let nowhere = S3Payloads::new("bucket").with_client(client("http://127.0.0.1:1"));
    let unreachable = nowhere.get("a".into()).await.unwrap_err();
    assert!(unreachable.to_string().starts_with("s3://bucket/a: "), "{unreachable}");
    let outside = bucket.store().get("../secret".into()).await.unwrap_err();
    assert!(outside.to_string().contains("not a key"), "{outside}");
}

#[durable_step]
async fn read(bytes: usize) -> Result<String, Error> {
    Ok("x".repeat(bytes))
}

#[durable_execution]
async fn digest(bytes: usize) -> Result<usize, Error> {
    let text = read(bytes).await?;
    wait(Duration::from_secs(1)).await;
    Ok(text.len())
}

#[tokio::test]
async fn a_large_result_of_a_step_goes_through_the_bucket() {
    let bucket = Bucket::new().await;
    let options = Options::default().payloads(Payloads::new(bucket.store()));
    let engine = Engine::builder().driver_options(options).workflow(workflow(digest)).open().unwrap();
    engine.start_raw("digest", StartOptions::named("x"), "3000000".into()).await.unwrap();
    let ended = engine.wait_for_end("x").await.unwrap();
    assert_eq!(ended.result.as_deref(), Some("3000000"), "{:?}", ended.error);
    let keys = bucket.keys();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert!(keys[0].starts_with(&format!("bucket/payloads/{}/", ended.id)), "{keys:?}");
    let operations = serde_json::to_string(&engine.operations("x").await.unwrap()).unwrap();
    assert!(operations.len() < 10_000, "the history has a reference only");
}
