//! What the sender of a callback is told.

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// The answer to a callback that was taken.
    #[must_use]
    pub fn of(kind: Kind, token: &str, now: Timestamp) -> Self {
        match kind {
            Kind::Contradicted => {
                Self::error(409, "token: a different outcome was delivered before, and it stands")
            }
            _ => Self {
                status: 200,
                body: json!({ "status": kind.as_str(), "token": token, "timestamp": now.to_string() }),
            },
        }
    }

    /// An error in the form that all callers get.
    #[must_use]
    pub fn error(status: u16, message: &str) -> Self {
        Self { status, body: json!({ "error": message }) }
    }
}
