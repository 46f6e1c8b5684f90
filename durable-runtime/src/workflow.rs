//! A workflow as a host sees it: a name and a way to run one invocation.

use std::sync::Arc;

use crate::{
    environment::Environment,
    protocol::{ErrorObject, InvocationInput, InvocationOutput},
    service::BoxFuture,
};

/// A registered `#[durable_execution]` function with its types erased.
pub trait Workflow: Send + Sync {
    /// The name it is registered and started by.
    fn name(&self) -> &str;

    /// Runs one invocation to its end. Never panics: panics of the workflow fail the execution.
    ///
    /// # Errors
    ///
    /// The invocation could not be finished and must be tried again; the execution is not affected.
    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>>;
}

/// A shared, erased workflow.
pub type SharedWorkflow = Arc<dyn Workflow>;

/// An invocation ended without an outcome; the service starts another one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invocation ended without an outcome: {0}")]
pub struct InvocationError(ErrorObject);

impl InvocationError {
    /// An error of type `InvocationError`.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of_kind("InvocationError", message)
    }

    /// An error of another type, such as `Runtime.ExitError` for a process that died.
    pub fn of_kind(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self(ErrorObject::new(error_type, message))
    }

    /// What the history shows of it.
    #[must_use]
    pub const fn error(&self) -> &ErrorObject {
        &self.0
    }
}

impl From<ErrorObject> for InvocationError {
    fn from(error: ErrorObject) -> Self {
        Self(error)
    }
}
