//! The callback handler behind a gateway: a durable function whose result is the HTTP answer.
//!
//! Lambda records the event that an execution starts with, body included, for as long as it keeps the execution
//! (`RetentionPeriodInDays` of the function's `DurableConfig`), also when the request is then refused. Everything
//! else is recorded only once a request is let in, and a large result only as a reference: storing it as an artifact
//! is the first step.

use std::time::Duration;

use durable_runtime::{prelude::*, protocol::Timestamp};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::{Value, json, value::RawValue};

use super::gateway;
use crate::{
    callback::{
        API_KEY_HEADER, Answer, Arrival, Authentication, CallbackFault, Headers, Message, Request,
        SIGNATURE_HEADER, Signal, TIMESTAMP_HEADER, WebhookFault, WebhookJob, WebhookOutcome, WebhookSender,
        admit, callback_handler, large_result, measured, redacted, set_aside, stored_as_artifact,
        webhook_notification,
    },
    ports::{Outcome, Ports},
    retry,
};

/// The largest callback that is taken. A function is invoked with 6 MB at most, and a body grows by a third in base64:
/// up to here every sender gets our own answer, above it the gateway's.
pub const MAX_FUNCTION_CALLBACK_BYTES: usize = 4 * 1024 * 1024;

/// What the function needs.
#[derive(Clone, Debug)]
pub struct CallbackEndpoint {
    /// The world.
    pub ports: Ports,
    /// What senders have to prove.
    pub authentication: Authentication,
    /// Tells the registered receivers, when there are any.
    pub webhooks: Option<WebhookSender>,
}

/// What the function is invoked with.
#[derive(Clone, Debug)]
pub enum CallbackEvent {
    /// A request, by a gateway that waits for the answer.
    Request(gateway::Request),
    /// A notice for one receiver, by this function itself.
    Webhook(WebhookJob),
}

/// The form of [`CallbackEvent::Webhook`].
#[derive(Serialize, Deserialize)]
struct WebhookEvent<J> {
    webhook: J,
}

impl Serialize for CallbackEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Request(request) => gateway::Event::from(request.clone()).serialize(serializer),
            Self::Webhook(webhook) => WebhookEvent { webhook }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for CallbackEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As text first: an untagged enum would take a large body apart into a tree, only to look at its fields.
        let event = Box::<RawValue>::deserialize(deserializer)?;
        if serde_json::from_str::<WebhookEvent<IgnoredAny>>(event.get()).is_ok() {
            let WebhookEvent { webhook } = serde_json::from_str(event.get()).map_err(D::Error::custom)?;
            return Ok(Self::Webhook(webhook));
        }
        let event: gateway::Event = serde_json::from_str(event.get()).map_err(D::Error::custom)?;
        event.try_into().map(Self::Request).map_err(D::Error::custom)
    }
}

/// Answers a request; or tells a receiver.
#[durable_execution(name = "callback_function")]
pub async fn callback_function(
    endpoint: CallbackEndpoint,
    event: CallbackEvent,
) -> Result<gateway::Response, WebhookFault> {
    let request = match event {
        CallbackEvent::Request(request) => request,
        CallbackEvent::Webhook(job) => {
            let outcome = match endpoint.webhooks {
                Some(sender) => webhook_notification(sender, job).await?,
                None => WebhookOutcome::Gone,
            };
            return Ok(gateway::Response::json(200, &json!({ "webhook": outcome })));
        }
    };
    let received_at = now().await;
    let request_id = match request.request_id.as_str() {
        "" => uuid().await.to_string(),
        id => id.to_owned(),
    };
    let message = match admitted(&endpoint, &request, &request_id, received_at) {
        Ok(message) => message,
        Err(refusal) => {
            let elapsed = now().await.since(received_at);
            return Ok(finished(&endpoint.ports, &request_id, &refusal, elapsed));
        }
    };
    let (token, status, digest) = (message.token.clone(), message.signal.status(), message.signal.digest());
    drop(request);

    let ports = &endpoint.ports;
    let mut request = Request { request_id: request_id.clone(), received_at, message, digest };
    let taken = async {
        if let Some(result) = large_result(&request.message.signal) {
            let stored = externalise_result(ports, &request_id, &token, result).await;
            if let Err(fault) = &stored {
                // Whether or not it can be kept, its sender is told that it was not stored.
                let _ = set_aside(ports, &request, fault).await;
            }
            request.message.signal = Signal::Outcome(Outcome::Success { result: stored? });
        }
        callback_handler(ports.clone(), request).await
    }
    .await;

    let now = now().await;
    let answer = Answer::to(&taken, &token, now);
    if let Err(fault) = &taken {
        tracing::error!(event_type = fault.event_type(), request_id, token = redacted(&token), %fault);
    }
    let elapsed = now.since(received_at);
    answer.log(&request_id, &token, status, elapsed);
    Ok(finished(ports, &request_id, &answer, elapsed))
}

fn admitted(
    endpoint: &CallbackEndpoint,
    request: &gateway::Request,
    request_id: &str,
    received_at: Timestamp,
) -> Result<Message, Answer> {
    if request.method != "POST" {
        return Err(Answer::error(405, "this path knows POST only"));
    }
    let headers = Headers {
        api_key: request.header(API_KEY_HEADER),
        signature: request.header(SIGNATURE_HEADER),
        timestamp: request.header(TIMESTAMP_HEADER),
    };
    let arrival =
        Arrival { request_id, received_at, headers, limit: MAX_FUNCTION_CALLBACK_BYTES, body: &request.body };
    admit(&endpoint.authentication, arrival)
}

fn finished(ports: &Ports, request_id: &str, answer: &Answer, elapsed: Duration) -> gateway::Response {
    ports.metrics.publish(request_id, &measured(answer, elapsed));
    gateway::Response::json(answer.status, &answer.body)
}

/// A result stored as an artifact, under a name that a repeated attempt uses again: a reference comes back.
#[durable_step(retry = retry::CALLBACK_STORAGE, timeout = "20s")]
async fn externalise_result(
    ports: &Ports,
    request_id: &str,
    token: &str,
    result: &Value,
) -> Result<Value, CallbackFault> {
    let stored = stored_as_artifact(&*ports.artifacts, token, result).await;
    stored.map_err(|error| CallbackFault::storage(ports, request_id, &error))
}
