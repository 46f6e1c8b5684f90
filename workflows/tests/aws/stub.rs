//! A server that answers every request in the same way and remembers what it was asked.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Response, Uri},
};
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Says {
    pub(crate) status: u16,
    /// The name of the exception, as AWS sends it.
    pub(crate) exception: Option<&'static str>,
    pub(crate) body: String,
}

impl Says {
    pub(crate) fn body(status: u16, body: impl ToString) -> Self {
        Self { status, exception: None, body: body.to_string() }
    }

    pub(crate) fn exception(status: u16, name: &'static str) -> Self {
        let body = serde_json::json!({ "message": "role arn:aws:iam::123456789012:role/secret" });
        Self { status, exception: Some(name), body: body.to_string() }
    }
}

pub(crate) struct Stub {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    server: JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stub {
    /// Answers each request with what `answer` makes of it.
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Says + Clone + Send + Sync + 'static) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&asked);
        let handle = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Asked { method, uri, headers, body: body.to_vec() };
            let Says { status, exception, body } = answer(&request);
            remembered.lock().unwrap().push(request);
            let mut response = Response::builder().status(status).header("content-type", "application/json");
            if let Some(name) = exception {
                response = response.header("x-amzn-ErrorType", name);
            }
            std::future::ready(response.body(Body::from(body)).unwrap())
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(handle)).await.unwrap();
        });
        Self { url, asked, server }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}
