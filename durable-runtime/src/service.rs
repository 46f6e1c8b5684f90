//! The one narrow trait between an invocation and the durable execution service.

use std::{future::Future, pin::Pin};

use crate::protocol::{ExecutionState, OperationUpdate};

/// A boxed, sendable future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The durable execution service, as one invocation sees it.
///
/// Implemented by the embedded engine and by the Lambda transport. The driver is the only caller; it never
/// has more than one call of an execution in flight.
pub trait DurableService: Send + Sync {
    /// Makes a batch of updates durable (`CheckpointDurableExecution`). Answers only after the commit.
    /// No updates at all asks for a refresh: what changed since the last call.
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>>;

    /// Reads a page of the state (`GetDurableExecutionState`). Does not consume the token.
    fn execution_state(&self, request: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>>;
}

/// The members of `CheckpointDurableExecution`.
#[derive(Clone, Debug)]
pub struct CheckpointRequest {
    /// Which execution.
    pub durable_execution_arn: String,
    /// The token of the envelope or of the last answer.
    pub checkpoint_token: String,
    /// What to make durable, in order.
    pub updates: Vec<OperationUpdate>,
    /// Makes a repeated request harmless; transports that retry set it.
    pub client_token: Option<String>,
}

/// The answer to [`CheckpointRequest`].
#[derive(Clone, Debug)]
pub struct CheckpointResponse {
    /// The token of the next call; absent when this one ended the execution.
    pub checkpoint_token: Option<String>,
    /// The operations that changed since the last answer, whole.
    pub new_execution_state: ExecutionState,
}

/// The members of `GetDurableExecutionState`.
#[derive(Clone, Debug)]
pub struct StateRequest {
    /// Which execution.
    pub durable_execution_arn: String,
    /// The current token.
    pub checkpoint_token: String,
    /// Where the page begins.
    pub marker: String,
}

/// Why the service refused, by what the caller does next.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// What to do about it.
    pub verdict: Verdict,
    /// The service's exception name, such as `InvalidParameterValueException`.
    pub code: String,
    /// The service's words.
    pub message: String,
}

/// What a refusal means for the invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Stale token, throttling, 5xx, network: end this invocation, the service starts another one.
    EndInvocation,
    /// It would be refused for ever: fail the execution with the service's words.
    FailExecution,
}

impl ServiceError {
    /// A refusal that ends this invocation only.
    pub fn transient(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::EndInvocation, code: code.into(), message: message.into() }
    }

    /// A refusal that fails the execution.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::FailExecution, code: code.into(), message: message.into() }
    }
}
