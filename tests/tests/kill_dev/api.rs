//! The REST API, over connections that may break at any moment.

use std::{future::Future, time::Duration};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    url: String,
}

/// An answer of the server.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) arn: Option<String>,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

impl Api {
    pub(crate) fn new(port: u16) -> Self {
        Self { client: Client::new(), url: format!("http://127.0.0.1:{port}") }
    }

    pub(crate) async fn is_healthy(&self) -> bool {
        self.once(Method::GET, "_durable/health", "", &[])
            .await
            .is_some_and(|answer| answer.status.is_success())
    }

    /// Invokes the errand of this number as an event.
    pub(crate) async fn start(&self, errand: u64) -> Answer {
        persist(|| self.invoke(errand, "Event")).await
    }

    /// Invokes the errand of this number and waits for its end.
    pub(crate) async fn run(&self, errand: u64) -> Answer {
        persist(|| self.invoke(errand, "RequestResponse")).await
    }

    fn invoke(&self, errand: u64, kind: &'static str) -> impl Future<Output = Option<Answer>> {
        let name = format!("errand-{errand}");
        let path = "2015-03-31/functions/errand%3A%24LATEST/invocations";
        let body = errand.to_string();
        async move {
            let headers = [("X-Amz-Invocation-Type", kind), ("X-Amz-Durable-Execution-Name", &*name)];
            self.once(Method::POST, path, &body, &headers).await
        }
    }

    pub(crate) async fn get(&self, arn: &str) -> Value {
        self.read(&format!("2025-12-01/durable-executions/{}", encode(arn))).await
    }

    /// All events of an execution.
    pub(crate) async fn history(&self, arn: &str) -> Vec<Value> {
        let path = format!("2025-12-01/durable-executions/{}/history?MaxItems=1000", encode(arn));
        let mut page = self.read(&path).await;
        assert!(page["NextMarker"].is_null(), "an errand's history is shorter than a page");
        serde_json::from_value(page["Events"].take()).unwrap()
    }

    /// Completes a callback, once: `None` when nobody knows whether that worked.
    pub(crate) async fn succeed(&self, callback: &str, value: u64) -> Option<Answer> {
        let path = format!("2025-12-01/durable-execution-callbacks/{}/succeed", encode(callback));
        self.once(Method::POST, &path, &value.to_string(), &[]).await
    }

    async fn read(&self, path: &str) -> Value {
        let answer = persist(|| self.once(Method::GET, path, "", &[])).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        answer.json()
    }

    /// One request; `None` without a whole answer, or with one that says to try again.
    async fn once(&self, method: Method, path: &str, body: &str, headers: &[(&str, &str)]) -> Option<Answer> {
        let url = format!("{}/{path}", self.url);
        let request = self.client.request(method, url).body(body.to_owned());
        let request = headers
            .iter()
            .fold(request, |request: RequestBuilder, (name, value)| request.header(*name, *value));
        let response = request.send().await.ok()?;
        let status = response.status();
        let arn = response.headers().get("X-Amz-Durable-Execution-Arn");
        let arn = arn.map(|arn| arn.to_str().unwrap().to_owned());
        let text = response.text().await.ok()?;
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return None;
        }
        Some(Answer { status, arn, text })
    }
}

/// Repeats a request until there is an answer.
async fn persist<F: Future<Output = Option<Answer>>>(mut request: impl FnMut() -> F) -> Answer {
    loop {
        if let Some(answer) = request().await {
            return answer;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn encode(label: &str) -> String {
    utf8_percent_encode(label, NON_ALPHANUMERIC).to_string()
}
