//! Telling a registered receiver that a callback came.
//!
//! Each receiver has an execution of its own, so that one that is down holds up neither the callback's sender nor
//! the other receivers. A notice is signed as callbacks are: [`WEBHOOK_SIGNATURE_HEADER`] carries `sha256=` and the
//! hexadecimal HMAC-SHA-256 of `{timestamp}.{body}`, and [`WEBHOOK_ID_HEADER`] is the same on every attempt, so that
//! a receiver can tell a repetition.
//!
//! Addresses come from the operator's configuration only, never from a request: nobody outside can make this process
//! call an address of their choice. An address that was removed from the configuration is not called any more, also
//! by executions that began before. Redirections are not followed.

use std::{collections::BTreeSet, fmt, sync::Arc, time::SystemTime};

use durable_runtime::{prelude::*, protocol::Timestamp};
use serde::{Deserialize, Serialize};

use super::{sha256, sign};
use crate::{
    ports::{HttpPost, Notice},
    retry,
};

/// The name by which hosts register and start [`webhook_notification`].
pub const WEBHOOK_NOTIFICATION: &str = "webhook_notification";
/// Identifies a notice.
pub const WEBHOOK_ID_HEADER: &str = "x-webhook-id";
/// Carries `sha256=` and the signature.
pub const WEBHOOK_SIGNATURE_HEADER: &str = "x-webhook-signature";
/// Carries the time of the signature in seconds since the Unix epoch.
pub const WEBHOOK_TIMESTAMP_HEADER: &str = "x-webhook-timestamp";

/// Who is told of callbacks, as the operator configured it.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookOptions {
    /// The receivers.
    pub urls: BTreeSet<String>,
    /// What notices are signed with.
    pub secret: String,
}

impl fmt::Debug for WebhookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Receivers may have put a secret of theirs into the address.
        f.debug_struct("WebhookOptions").field("urls", &self.urls.len()).finish_non_exhaustive()
    }
}

/// One notice for one receiver: what an execution of [`webhook_notification`] is started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookJob {
    /// What to tell.
    pub notice: Notice,
    /// Whom.
    pub url: String,
}

impl WebhookJob {
    /// The name of its execution: telling the same receiver the same notice again is telling it once.
    #[must_use]
    pub fn execution_name(&self) -> String {
        let receiver: String = sha256(self.url.as_bytes()).chars().take(12).collect();
        format!("webhook-{}-{receiver}", self.notice.id)
    }
}

impl WebhookOptions {
    /// One job for each receiver.
    pub fn jobs(&self, notice: &Notice) -> impl Iterator<Item = WebhookJob> {
        self.urls.iter().map(|url| WebhookJob { notice: notice.clone(), url: url.clone() })
    }
}

/// Tells receivers.
#[derive(Clone)]
pub struct WebhookSender {
    options: WebhookOptions,
    client: Arc<dyn HttpPost>,
}

impl fmt::Debug for WebhookSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSender").field("options", &self.options).finish_non_exhaustive()
    }
}

impl WebhookSender {
    /// Tells the receivers of `options`, and no others, by way of `client`.
    #[must_use]
    pub fn new(options: WebhookOptions, client: Arc<dyn HttpPost>) -> Self {
        Self { options, client }
    }
}

/// How an execution of [`webhook_notification`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookOutcome {
    /// The receiver has it.
    Told,
    /// The receiver is not registered any more, or says that it is gone for good.
    Gone,
}

/// Why a receiver was not told. Names no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("the receiver was not told: {0}")]
pub struct WebhookFault(pub String);

impl From<Interrupted> for WebhookFault {
    fn from(interrupted: Interrupted) -> Self {
        Self(interrupted.to_string())
    }
}

/// Tells one receiver, for as long as it takes.
#[durable_execution(name = "webhook_notification")]
pub async fn webhook_notification(
    sender: WebhookSender,
    job: WebhookJob,
) -> Result<WebhookOutcome, WebhookFault> {
    post_notice(&sender, &job).await.inspect_err(|fault| {
        tracing::error!(event_type = "webhook_failed", request_id = job.notice.id, %fault);
    })
}

#[durable_step(retry = retry::WEBHOOKS, timeout = "20s")]
async fn post_notice(sender: &WebhookSender, job: &WebhookJob) -> Result<WebhookOutcome, WebhookFault> {
    if !sender.options.urls.contains(&job.url) {
        return Ok(WebhookOutcome::Gone);
    }
    let body = serde_json::to_string(&job.notice).map_err(|error| WebhookFault(error.to_string()))?;
    let seconds = Timestamp::from(SystemTime::now()).as_millis().div_euclid(1000).to_string();
    let signature = sign(&sender.options.secret, &seconds, body.as_bytes());
    let headers = vec![
        (WEBHOOK_ID_HEADER, job.notice.id.clone()),
        (WEBHOOK_TIMESTAMP_HEADER, seconds),
        (WEBHOOK_SIGNATURE_HEADER, signature),
    ];
    let outcome = match sender.client.post(job.url.clone(), headers, body).await {
        Ok(200..=299) => Ok(WebhookOutcome::Told),
        Ok(410) => Ok(WebhookOutcome::Gone),
        Ok(status) => Err(WebhookFault(format!("it answered {status}"))),
        Err(reason) => Err(WebhookFault(reason)),
    };
    let attempt = step_attempt().unwrap_or(1);
    match &outcome {
        Ok(outcome) => {
            tracing::info!(event_type = "webhook_sent", request_id = job.notice.id, ?outcome, attempt);
        }
        Err(fault) => {
            tracing::warn!(event_type = "webhook_error", request_id = job.notice.id, %fault, attempt);
        }
    }
    outcome
}
