//! Answers that get lost after the service did what was asked: the client asks again, and nothing is done twice.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};
use workflows::{
    aws::{DynamoCallbacks, DynamoRecords, Table},
    callback::RETENTION,
    ports::{Callbacks, Change, Delivery, NewCallback, Outcome, Records, Stored, WorkflowId},
    research::Status,
};

use crate::{
    moto,
    suite::{new_record, now},
};

/// Passes everything on to moto, and loses the next answer to a write when it is told to.
struct Proxy {
    url: String,
    to_lose: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Proxy {
    async fn start() -> Self {
        let to_lose = Arc::new(AtomicUsize::new(0));
        let losing = Arc::clone(&to_lose);
        let handle = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let losing = Arc::clone(&losing);
            async move { pass(&losing, method, &uri, headers, body).await }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(handle)).await.unwrap();
        });
        Self { url, to_lose, server }
    }

    fn lose_next_answer(&self) {
        self.to_lose.store(1, Ordering::SeqCst);
    }

    fn has_lost(&self) -> bool {
        self.to_lose.load(Ordering::SeqCst) == 0
    }
}

async fn pass(
    losing: &AtomicUsize,
    method: Method,
    uri: &Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let is_write = headers.get("x-amz-target").is_some_and(|target| {
        let target = target.to_str().unwrap();
        ["PutItem", "TransactWriteItems", "UpdateItem"].iter().any(|it| target.ends_with(it))
    });
    let request = reqwest::Client::new()
        .request(method, format!("{}{}", moto::endpoint(), uri.path()))
        .headers(headers)
        .body(body);
    let answer = request.send().await.unwrap();
    if is_write && losing.fetch_min(0, Ordering::SeqCst) == 1 {
        return Response::builder().status(503).body(Body::empty()).unwrap();
    }
    let mut response = Response::builder().status(answer.status().as_u16());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" && name != "content-length" {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(answer.bytes().await.unwrap())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn a_change_whose_answer_is_lost_is_made_once() {
    let (_, name) = moto::table(&moto::clients(&moto::endpoint())).await;
    let proxy = Proxy::start().await;
    let records = DynamoRecords::new(Table::new(&moto::clients(&proxy.url), &name));
    let id = WorkflowId::named("w");
    records.create(new_record("w")).await.unwrap();
    let begun = Change::of(&id, "t").to(Status::Running).now_at("first");
    let late = Change::of(&id, "t").only_at("first").now_at("second").completing("first", "done");
    let ended = Change::of(&id, "t").to(Status::Failed);
    for change in [begun, late, ended] {
        proxy.lose_next_answer();
        // The second of them would be refused if it did not know its own write again.
        records.apply(change).await.unwrap();
        assert!(proxy.has_lost());
    }
    let record = records.get(id.clone()).await.unwrap().unwrap();
    assert_eq!((record.status, record.steps_completed.len()), (Status::Failed, 1));
    let moves: Vec<_> = records.audit(id).await.unwrap().into_iter().map(|entry| entry.to).collect();
    assert_eq!(moves, [Status::Initializing, Status::Running, Status::Failed]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn a_result_whose_answer_is_lost_does_not_contradict_itself() {
    let (_, name) = moto::table(&moto::clients(&moto::endpoint())).await;
    let proxy = Proxy::start().await;
    let callbacks = DynamoCallbacks::new(Table::new(&moto::clients(&proxy.url), &name), None);
    let callback = NewCallback {
        token: "t".to_owned(),
        outcome: Outcome::Success { result: json!(1) },
        digest: "one".to_owned(),
        expires_at: now().after(RETENTION),
    };
    proxy.lose_next_answer();
    let stored = callbacks.store(callback).await.unwrap();
    assert!(proxy.has_lost());
    // Whoever handles the callback carries on from here as from a new one.
    assert_eq!(stored, Stored::Repeated(Delivery::Pending));
}
