//! Between the functions and the server: passes calls on, remembers them, and interferes where a test wants it.

#![allow(clippy::indexing_slicing, reason = "a missing member of a JSON value reads as null")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Response, Uri},
};
use durable_runtime::protocol::OperationUpdate;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What happens to a checkpoint.
#[derive(Clone, Debug)]
pub(crate) enum Interference {
    /// It is refused, and never reaches the server.
    Refusal { status: u16, code: &'static str, message: &'static str },
    /// Somebody else uses its token first, as a process does that was given up and still lives.
    Overtake,
}

impl Interference {
    pub(crate) const fn refusal(status: u16, code: &'static str, message: &'static str) -> Self {
        Self::Refusal { status, code, message }
    }
}

/// A checkpoint as it came from a function.
#[derive(Clone, Debug)]
pub(crate) struct Checkpoint {
    pub(crate) updates: Vec<OperationUpdate>,
    pub(crate) bytes: usize,
}

/// What the server itself refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

#[derive(Clone)]
pub(crate) struct Between(Arc<Inner>);

struct Inner {
    address: std::net::SocketAddr,
    server: OnceLock<String>,
    client: reqwest::Client,
    interferences: Mutex<VecDeque<Interference>>,
    checkpoints: Mutex<Vec<Checkpoint>>,
    refusals: Mutex<Vec<Refusal>>,
}

impl Between {
    /// Interferes with the next checkpoints, one after the other.
    pub(crate) async fn start(interferences: impl IntoIterator<Item = Interference>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let between = Self(Arc::new(Inner {
            address: listener.local_addr().expect("it listens"),
            server: OnceLock::new(),
            client: reqwest::Client::new(),
            interferences: Mutex::new(interferences.into_iter().collect()),
            checkpoints: Mutex::default(),
            refusals: Mutex::default(),
        }));
        let router = Router::new()
            .fallback(pass_on)
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(between.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        between
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Passes calls on to the server at this URL.
    pub(crate) fn lead_to(&self, server: &str) {
        self.0.server.set(server.to_owned()).expect("it leads nowhere yet");
    }

    pub(crate) fn checkpoints(&self) -> Vec<Checkpoint> {
        self.0.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn send(&self, method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Response<Body> {
        let server = self.0.server.get().expect("functions call when the server is there");
        let path = uri.path_and_query().map_or("/", axum::http::uri::PathAndQuery::as_str);
        let mut request = self.0.client.request(method, format!("{server}{path}")).body(body);
        for (name, value) in
            headers.iter().filter(|(name, _)| !["host", "content-length"].contains(&name.as_str()))
        {
            request = request.header(name, value);
        }
        let answer = request.send().await.expect("the server answers");
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "content-length") {
            response = response.header(name, value);
        }
        let code =
            answer.headers().get("x-amzn-errortype").and_then(|code| code.to_str().ok()).map(str::to_owned);
        let body = answer.bytes().await.expect("answers are read to their end");
        if let Some(code) = code {
            let body: Value = serde_json::from_slice(&body).expect("a refusal is JSON");
            let message =
                body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default().to_owned();
            self.0.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(Refusal { code, message });
        }
        response.body(Body::from(body)).expect("what was an answer is one")
    }
}

async fn pass_on(
    State(between): State<Between>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if !uri.path().ends_with("/checkpoint") {
        return between.send(method, &uri, &headers, body).await;
    }
    let call: Value = serde_json::from_slice(&body).expect("a checkpoint is JSON");
    let updates = serde_json::from_value(call["Updates"].clone()).expect("updates have a shape");
    let checkpoint = Checkpoint { updates, bytes: body.len() };
    between.0.checkpoints.lock().unwrap_or_else(PoisonError::into_inner).push(checkpoint);
    let next = between.0.interferences.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    match next {
        Some(Interference::Refusal { status, code, message }) => {
            let answer = json!({ "Type": "User", "message": message });
            let response = Response::builder().status(status).header("x-amzn-errortype", code);
            response.body(Body::from(answer.to_string())).expect("it is an answer")
        }
        Some(Interference::Overtake) => {
            let zombie = json!({ "CheckpointToken": call["CheckpointToken"], "ClientToken": "zombie" });
            let overtook = between.send(method.clone(), &uri, &headers, zombie.to_string().into()).await;
            assert_eq!(overtook.status(), 200, "the token was fresh");
            between.send(method, &uri, &headers, body).await
        }
        None => between.send(method, &uri, &headers, body).await,
    }
}
