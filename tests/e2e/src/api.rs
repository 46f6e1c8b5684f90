//! Clients of the HTTP API: who starts workflows, and who calls back.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use reqwest::{Client, Method};
use serde_json::{Value, json};

const REQUEST_LIMIT: Duration = Duration::from_secs(45);
/// How long senders try to deliver.
const DELIVERY_LIMIT: Duration = Duration::from_secs(240);
const POLL_INTERVAL: Duration = Duration::from_millis(150);
/// Statuses that end a workflow.
const ENDED: [&str; 4] = ["COMPLETED", "REJECTED", "FAILED", "CANCELLED"];

fn client() -> Result<Client> {
    Ok(Client::builder().no_proxy().timeout(REQUEST_LIMIT).build()?)
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body; null when it is not JSON.
    pub body: Value,
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Result<Self> {
        let response = request.send().await?;
        let status = response.status().as_u16();
        let body = response.bytes().await?;
        Ok(Self { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    /// A field of the body, as text.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// This answer, when it has that status.
    ///
    /// # Errors
    ///
    /// It has another one.
    pub fn expect(self, status: u16) -> Result<Self> {
        ensure!(self.status == status, "expected {status}, got {}: {}", self.status, self.body);
        Ok(self)
    }
}

/// The workflow API of a stack.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    base: String,
}

impl Api {
    /// The API behind the gateway at `base`.
    ///
    /// # Errors
    ///
    /// The HTTP client can't be made.
    pub fn new(base: &str) -> Result<Self> {
        Ok(Self { client: client()?, base: base.to_owned() })
    }

    /// Any call.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        Answer::of(request).await
    }

    /// `GET`.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    /// Starts a workflow and gives its id. Tried again with the same idempotency key until it is accepted.
    ///
    /// # Errors
    ///
    /// It is refused, or nobody accepts it for a long time.
    pub async fn start(&self, topic: &str) -> Result<String> {
        let key = uuid::Uuid::new_v4().to_string();
        let begun = Instant::now();
        loop {
            let answer = self.start_once(topic, &key).await;
            match answer {
                Ok(answer) if answer.status == 202 => return Ok(answer.text("workflow_id").to_owned()),
                Ok(answer) if answer.status < 500 => bail!("POST /workflows: {answer:?}"),
                other if begun.elapsed() > Duration::from_secs(90) => bail!("POST /workflows: {other:?}"),
                _ => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        }
    }

    /// One request to start a workflow.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn start_once(&self, topic: &str, key: &str) -> Result<Answer> {
        let body = json!({ "topic": topic, "parameters": { "depth": "basic", "word_limit": 400 } });
        let request = self.client.post(format!("{}/workflows", self.base)).header("idempotency-key", key);
        Answer::of(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// One workflow.
    ///
    /// # Errors
    ///
    /// There is none, or no answer.
    pub async fn workflow(&self, id: &str) -> Result<Value> {
        Ok(self.get(&format!("/workflows/{id}")).await?.expect(200)?.body)
    }

    /// Waits until a workflow has a status. Failed polls are tried again: outages are part of the play.
    ///
    /// # Errors
    ///
    /// It ends with another one, or takes too long.
    pub async fn wait_for(&self, id: &str, status: &str, limit: Duration) -> Result<Value> {
        let begun = Instant::now();
        loop {
            let view = self.workflow(id).await;
            let now = view.as_ref().ok().and_then(|view| view.get("status")?.as_str());
            match now {
                Some(now) if now == status => return view,
                Some(now) if ENDED.contains(&now) => bail!("workflow {id} is {now}, not {status}: {view:?}"),
                _ => {}
            }
            ensure!(begun.elapsed() < limit, "workflow {id} is not {status} after {limit:?}: {view:?}");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Decides; tried again while the API answers with 5xx or not at all. The answer to a repetition is 409.
    ///
    /// # Errors
    ///
    /// The decision is refused.
    pub async fn decide(&self, id: &str, is_approved: bool, comment: &str) -> Result<()> {
        let body = json!({ "approved": is_approved, "comment": comment });
        let begun = Instant::now();
        let mut is_first = true;
        loop {
            let answer =
                self.call(Method::POST, &format!("/workflows/{id}/approval"), Some(body.clone())).await;
            match answer {
                Ok(answer) if answer.status == 200 || (answer.status == 409 && !is_first) => return Ok(()),
                Ok(answer) if answer.status < 500 => bail!("the decision on {id} was refused: {answer:?}"),
                other => {
                    ensure!(begun.elapsed() < Duration::from_secs(90), "nobody decides on {id}: {other:?}");
                }
            }
            is_first = false;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Reads what a presigned link opens, as anybody could.
    ///
    /// # Errors
    ///
    /// It opens nothing.
    pub async fn open(&self, link: &str) -> Result<Vec<u8>> {
        let response = self.client.get(link).send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        ensure!(status.is_success(), "the link answers {status}: {}", String::from_utf8_lossy(&body));
        Ok(body.into())
    }
}

/// The body of a callback.
#[derive(Clone, Debug)]
pub struct Message(pub Value);

impl Message {
    /// A result.
    #[must_use]
    pub fn success(token: impl Into<String>, result: Value) -> Self {
        Self(json!({ "token": token.into(), "status": "SUCCESS", "result": result }))
    }

    /// A failure.
    #[must_use]
    pub fn failure(token: impl Into<String>, error: Value) -> Self {
        Self(json!({ "token": token.into(), "status": "FAILURE", "error": error }))
    }

    /// A sign of life.
    #[must_use]
    pub fn heartbeat(token: impl Into<String>) -> Self {
        Self(json!({ "token": token.into(), "status": "HEARTBEAT" }))
    }
}

/// Who calls back.
#[derive(Clone, Debug)]
pub struct Callbacks {
    client: Client,
}

impl Callbacks {
    /// A caller.
    ///
    /// # Errors
    ///
    /// The HTTP client can't be made.
    pub fn new() -> Result<Self> {
        Ok(Self { client: client()? })
    }

    /// One request.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn send(&self, url: &str, message: &Message) -> Result<Answer> {
        self.send_bytes(url, message.0.to_string().into_bytes()).await
    }

    /// One request with any body.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn send_bytes(&self, url: &str, body: Vec<u8>) -> Result<Answer> {
        self.send_with(url, &[], body).await
    }

    /// One request with any body and these headers.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub async fn send_with(&self, url: &str, headers: &[(&str, String)], body: Vec<u8>) -> Result<Answer> {
        let mut request = self.client.post(url).header("content-type", "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        Answer::of(request).await
    }

    /// Sends until the answer is final, as an agent does: no answer and 5xx mean again.
    ///
    /// # Errors
    ///
    /// There is no final answer for minutes.
    pub async fn deliver(&self, url: &str, message: &Message) -> Result<Answer> {
        let begun = Instant::now();
        loop {
            let answer = self.send(url, message).await;
            match answer {
                Ok(answer) if answer.status < 500 && answer.status != 429 => return Ok(answer),
                other => {
                    ensure!(begun.elapsed() < DELIVERY_LIMIT, "the callback is still not taken: {other:?}");
                }
            }
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
}
