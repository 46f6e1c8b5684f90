//! How a task ends: the result or the failure that its callback delivers.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a task ended. Once stored it is final: a second delivery says the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "UPPERCASE")]
pub(super) enum Outcome {
    Success { result: Value },
    Failure { error: AgentFailure },
}

/// Why a task failed, in words fit for a stranger: no paths of this machine, no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub struct AgentFailure {
    /// What kind of failure.
    #[serde(rename = "type")]
    pub kind: FailureKind,
    /// What went wrong, in one sentence.
    pub message: String,
}

impl AgentFailure {
    /// A failure of `kind`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl From<durable_runtime::Interrupted> for AgentFailure {
    fn from(interrupted: durable_runtime::Interrupted) -> Self {
        Self::new(FailureKind::Internal, interrupted.to_string())
    }
}

/// The `type` of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// The corpus has nothing on the topic.
    NothingFound,
    /// The corpus went away, or holds no documents.
    CorpusUnavailable,
    /// An input is missing or isn't what the phase before should have produced.
    InvalidInput,
    /// An input given by reference couldn't be fetched.
    InputUnavailable,
    /// The index couldn't be built or searched.
    Index,
    /// The model gave no usable text.
    Model,
    /// The outcome is larger than the callback endpoint takes.
    ResultTooLarge,
    /// A defect of the agent.
    Internal,
}

/// Why work on a task stopped without an outcome, or with a failure.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The agent is shutting down; the task is taken up at the next start.
    Interrupted,
    /// The task failed, for good.
    Failed(AgentFailure),
}

impl From<AgentFailure> for Stopped {
    fn from(failure: AgentFailure) -> Self {
        Self::Failed(failure)
    }
}

/// A failure of `kind`, as the error of a function that can be interrupted too.
pub(super) fn failed(kind: FailureKind, message: impl Into<String>) -> Stopped {
    Stopped::Failed(AgentFailure::new(kind, message))
}
