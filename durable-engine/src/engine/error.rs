//! Why the engine could not do something.

use durable_runtime::{
    payloads::PayloadStoreError,
    protocol::{ErrorObject, limits},
};

use crate::{
    service::{CallbackOutcome, CallbackRefusal, ExecutionStatus},
    store::StoreError,
};

/// Why the engine could not do something. Nothing changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// No workflow of this name is registered.
    #[error("no workflow named '{function}' is registered; {}", registered_names(.registered))]
    UnknownFunction {
        /// The name.
        function: String,
        /// The registered names.
        registered: Vec<String>,
    },
    /// An execution of this name was started with another input.
    #[error(
        "an execution of '{function}' named '{name}' was started with another input ({arn}); \
         choose another name, or start it with the same input"
    )]
    AlreadyStarted {
        /// The function.
        function: String,
        /// The name.
        name: String,
        /// The execution that has it.
        arn: String,
    },
    /// There is no such execution.
    #[error("there is no execution '{reference}'; give its ARN, its id or its name")]
    NotFound {
        /// What was asked for.
        reference: String,
    },
    /// Executions of several functions have this name.
    #[error("executions of several functions are named '{name}'; give the ARN of one: {}", .arns.join(", "))]
    AmbiguousName {
        /// The name.
        name: String,
        /// The executions.
        arns: Vec<String>,
    },
    /// The name is none.
    #[error(
        "'{name}' cannot be the name of an execution: 1 to {} characters of [a-zA-Z0-9-_]",
        limits::EXECUTION_NAME
    )]
    InvalidName {
        /// The name.
        name: String,
    },
    /// The time limit is out of bounds.
    #[error("an execution's time limit is 1 to {} seconds, not {seconds}", limits::MAX_WAIT_SECONDS)]
    InvalidTimeout {
        /// The limit asked for.
        seconds: u64,
    },
    /// A pause or its end has too long a reason.
    #[error("a reason has at most {} characters, not {characters}", super::control::LONGEST_REASON)]
    ReasonTooLong {
        /// Its length.
        characters: usize,
    },
    /// The execution's status does not allow this.
    #[error("the execution is {status}; {needed} ({arn})")]
    WrongStatus {
        /// The execution.
        arn: String,
        /// Its status.
        status: ExecutionStatus,
        /// What it would have to be.
        needed: &'static str,
    },
    /// The input can't be written as JSON.
    #[error("the input of '{function}' can't be written as JSON: {message}")]
    InvalidInput {
        /// The function.
        function: String,
        /// Why not.
        message: String,
    },
    /// The input is too large.
    #[error("an input of {bytes} bytes is larger than the limit of {} bytes", limits::EXECUTION_PAYLOAD)]
    InputTooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The engine was shut down.
    #[error("the engine was shut down")]
    ShutDown,
    /// The store failed.
    #[error("the store failed: {message}")]
    Store {
        /// Its words.
        message: String,
    },
}

fn registered_names(registered: &[String]) -> String {
    match registered {
        [] => "none is, register it before starting it".to_owned(),
        names => format!("registered are: {}", names.join(", ")),
    }
}

impl From<PayloadStoreError> for EngineError {
    fn from(error: PayloadStoreError) -> Self {
        Self::Store { message: format!("a payload outside of the history: {error}") }
    }
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Closed => Self::ShutDown,
            other => Self::Store { message: other.to_string() },
        }
    }
}

/// Why a callback could not be completed. Nothing changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallbackError {
    /// There is no callback with this id.
    #[error("there is no callback '{id}'")]
    Unknown {
        /// The id.
        id: String,
    },
    /// The callback was completed before. Compare the outcome to tell a repetition from a contradiction.
    #[error("callback '{id}' was completed before")]
    Closed {
        /// The id.
        id: String,
        /// What it was completed with.
        outcome: CallbackOutcome,
    },
    /// The callback ran out of time, or missed a heartbeat.
    #[error("callback '{id}' has timed out: {error}")]
    TimedOut {
        /// The id.
        id: String,
        /// What the workflow was told.
        error: ErrorObject,
    },
    /// The execution that waited for the callback has ended.
    #[error("the execution that waited for callback '{id}' has ended: {status}")]
    ExecutionEnded {
        /// The id.
        id: String,
        /// How it ended.
        status: ExecutionStatus,
    },
    /// The result is too large.
    #[error(
        "a result of {bytes} bytes for callback '{id}' is larger than the limit of {} bytes",
        limits::CALLBACK_PAYLOAD
    )]
    TooLarge {
        /// The id.
        id: String,
        /// The result's size.
        bytes: usize,
    },
    /// The engine itself could not do it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl CallbackError {
    pub(super) fn new(id: &str, refusal: CallbackRefusal) -> Self {
        let id = id.to_owned();
        match refusal {
            CallbackRefusal::Unknown => Self::Unknown { id },
            CallbackRefusal::Closed(outcome) => Self::Closed { id, outcome },
            CallbackRefusal::TimedOut(error) => Self::TimedOut { id, error },
            CallbackRefusal::ExecutionEnded(status) => Self::ExecutionEnded { id, status },
            CallbackRefusal::TooLarge(bytes) => Self::TooLarge { id, bytes },
        }
    }
}
