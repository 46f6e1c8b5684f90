//! Posts heartbeats and outcomes to a task's callback.

use std::time::Duration;

use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use uuid::Uuid;

use super::config::API_KEY_HEADER;
use super::outcome::{AgentFailure, FailureKind, Outcome};
use super::progress::Reading;
use crate::a2a::{HttpClients, Task, describe_transport_error};

const TIMEOUT: Duration = Duration::from_secs(30);
const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Posts to callbacks.
#[derive(Debug, Clone)]
pub(super) struct Delivery {
    http: HttpClients,
    api_key: Option<String>,
    /// The receiver the key was given for; `None` when any may have it.
    receiver: Option<Url>,
}

/// How an attempt to deliver ended.
enum Attempt {
    Taken,
    /// The receiver will say the same to the same request for ever.
    Refused(StatusCode),
    NotNow(String),
}

impl Delivery {
    pub(super) fn new(api_key: Option<String>, receiver: Option<Url>) -> Self {
        Self { http: HttpClients::new(TIMEOUT), api_key, receiver }
    }

    /// Says once that the task is being worked on. A lost heartbeat is followed by the next one.
    pub(super) async fn heartbeat(&self, task: &Task, progress: Reading) {
        let Reading { stage, done, total } = progress;
        tracing::info!(task = %task.id(), stage, done, total, "working");
        let progress = json!({ "stage": stage, "done": done, "total": total });
        let body = json!({ "token": task.callback_token, "status": "HEARTBEAT", "progress": progress });
        match self.post(task, &body).await {
            Attempt::Taken => {}
            Attempt::Refused(status) => {
                tracing::warn!(task = %task.id(), status = status.as_u16(), "heartbeat refused");
            }
            Attempt::NotNow(reason) => tracing::warn!(task = %task.id(), reason, "heartbeat not delivered"),
        }
    }

    /// Delivers the outcome: tries until it is taken, or refused for good.
    pub(super) async fn deliver(&self, task: &Task, outcome: &Outcome) {
        let mut body = body_of(task, outcome);
        let mut delay = FIRST_DELAY;
        loop {
            match self.post(task, &body).await {
                Attempt::Taken => return,
                // The workflow would wait in vain until its timeout; a failure at least tells it why.
                Attempt::Refused(StatusCode::PAYLOAD_TOO_LARGE)
                    if matches!(outcome, Outcome::Success { .. }) && body.get("result").is_some() =>
                {
                    let error = AgentFailure::new(
                        FailureKind::ResultTooLarge,
                        "the callback endpoint refused the result as too large",
                    );
                    tracing::error!(task = %task.id(), "the result is too large for the callback endpoint");
                    body = body_of(task, &Outcome::Failure { error });
                }
                Attempt::Refused(status) => {
                    let status = status.as_u16();
                    tracing::error!(task = %task.id(), status, "the callback was refused; giving the outcome up");
                    return;
                }
                Attempt::NotNow(reason) => {
                    tracing::warn!(task = %task.id(), reason, ?delay, "the callback was not delivered; will try again");
                    tokio::time::sleep(with_jitter(delay)).await;
                    delay = (delay * 2).min(LONGEST_DELAY);
                }
            }
        }
    }

    async fn post(&self, task: &Task, body: &Value) -> Attempt {
        let Ok(url) = Url::parse(&task.callback_url) else {
            return Attempt::Refused(StatusCode::BAD_REQUEST);
        };
        // A task names its own callback; it must not talk the agent into handing the key to a stranger.
        let is_known = self.receiver.as_ref().is_none_or(|receiver| receiver.origin() == url.origin());
        let mut request = self.http.for_url(&url).post(url).json(body);
        if let Some(api_key) = self.api_key.as_ref().filter(|_| is_known) {
            request = request.header(API_KEY_HEADER, api_key);
        }
        match request.send().await {
            Ok(answer) => match answer.status() {
                status if status.is_success() => Attempt::Taken,
                // The two that ask for patience.
                status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
                    Attempt::NotNow(format!("HTTP status {}", status.as_u16()))
                }
                status if status.is_client_error() => Attempt::Refused(status),
                status => Attempt::NotNow(format!("HTTP status {}", status.as_u16())),
            },
            Err(error) => Attempt::NotNow(describe_transport_error(error)),
        }
    }
}

fn body_of(task: &Task, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Success { result } => {
            json!({ "token": task.callback_token, "status": "SUCCESS", "result": result })
        }
        Outcome::Failure { error } => {
            json!({ "token": task.callback_token, "status": "FAILURE", "error": error })
        }
    }
}

/// Between half of `delay` and all of it, so that agents that lost the same receiver don't return together.
fn with_jitter(delay: Duration) -> Duration {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    delay / 2 + (delay / 2).mul_f64(random as f64 / u64::MAX as f64)
}
