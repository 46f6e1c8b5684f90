//! What the sender of a callback is told.

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CallbackFault, redacted};

/// What became of a callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The execution has it.
    Delivered,
    /// The execution knows that its agent is alive.
    HeartbeatRecorded,
    /// The same outcome came before.
    AlreadyDelivered,
    /// Another outcome came before and stands.
    Contradicted,
    /// The callback was closed; the execution is untouched.
    Expired,
    /// No workflow is known for the token.
    Unknown,
}

impl Kind {
    /// The word in the answer and in the history.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "callback_delivered",
            Self::HeartbeatRecorded => "heartbeat_recorded",
            Self::AlreadyDelivered => "already_delivered",
            Self::Contradicted => "callback_conflict",
            Self::Expired => "callback_expired",
            Self::Unknown => "callback_stored",
        }
    }

    /// True for what an earlier request has not told already.
    pub(crate) const fn is_news(self) -> bool {
        matches!(self, Self::Delivered | Self::Expired | Self::Unknown)
    }
}

/// An HTTP status and a JSON body, for whatever server there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Answer {
    /// The answer to a callback that was let in.
    #[must_use]
    pub fn to(taken: &Result<Kind, CallbackFault>, token: &str, now: Timestamp) -> Self {
        match taken {
            Ok(Kind::Contradicted) => {
                Self::error(409, "token: a different outcome was delivered before, and it stands")
            }
            Ok(kind) => Self {
                status: 200,
                body: json!({ "status": kind.as_str(), "token": token, "timestamp": now.to_string() }),
            },
            Err(fault) => Self::error(500, &fault.to_string()),
        }
    }

    /// An error in the form that all callers get.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self { status, body: json!({ "error": message }) }
    }

    /// True when it says that an execution got its callback.
    #[must_use]
    pub fn is_delivery(&self) -> bool {
        self.body.get("status").and_then(Value::as_str) == Some(Kind::Delivered.as_str())
    }

    /// The last stage of a request, for the log.
    pub(crate) fn log(&self, request_id: &str, token: &str, signal: &str, elapsed: std::time::Duration) {
        tracing::info!(
            event_type = "callback_completed",
            request_id,
            token = redacted(token),
            status = signal,
            http_status = self.status,
            elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        );
    }
}
