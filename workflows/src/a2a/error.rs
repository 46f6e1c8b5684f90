//! Why a dispatch failed, as data: a durable step records it and replays it.

use serde::{Deserialize, Serialize};

use super::TaskState;

/// Why an agent did not accept a task.
///
/// Serialisable, so that what a workflow matches on is the same on the first run and on replay. Endpoints
/// are named without credentials and query; the callback token never appears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DispatchError {
    /// The endpoint is not a URL this client can call.
    #[error("`{endpoint}` can't be called: {reason}")]
    InvalidEndpoint {
        /// What was given.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer came: refused connection, reset, timeout.
    #[error("no answer from the agent at {endpoint}: {reason}")]
    Transport {
        /// Who was called.
        endpoint: String,
        /// What happened.
        reason: String,
    },
    /// The answer has a status other than 2xx.
    #[error("the agent at {endpoint} answered with HTTP status {status}: {body}")]
    Status {
        /// Who was called.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        body: String,
    },
    /// The answer is not JSON-RPC 2.0.
    #[error("the agent at {endpoint} did not answer in JSON-RPC 2.0: {reason}")]
    NotJsonRpc {
        /// Who was called.
        endpoint: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The answer is a JSON-RPC error.
    #[error("the agent at {endpoint} answered with JSON-RPC error {code}: {message}")]
    Rpc {
        /// Who was called.
        endpoint: String,
        /// The JSON-RPC error code.
        code: i64,
        /// The agent's words.
        message: String,
    },
    /// The answer is a result, and the result says that the task will not be done.
    #[error("the agent at {endpoint} did not take the task: its state is {state:?}")]
    Refused {
        /// Who was called.
        endpoint: String,
        /// The state the agent reported.
        state: TaskState,
    },
}

impl DispatchError {
    /// Whether the same dispatch may succeed later: no answer at all, status 429, or status 5xx.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { .. } => true,
            Self::Status { status, .. } => *status == 429 || (500..600).contains(status),
            Self::InvalidEndpoint { .. }
            | Self::NotJsonRpc { .. }
            | Self::Rpc { .. }
            | Self::Refused { .. } => false,
        }
    }
}
