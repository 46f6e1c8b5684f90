//! A workflow as a host sees it: a name and a way to run one invocation.

use std::sync::Arc;

use crate::{
    environment::Environment,
    protocol::{InvocationInput, InvocationOutput},
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
#[derive(Clone, Debug, thiserror::Error)]
#[error("invocation ended without an outcome: {message}")]
pub struct InvocationError {
    /// Why.
    pub message: String,
}
