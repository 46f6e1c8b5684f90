//! The durable execution service as the applications need it: AWS Lambda or the embedded engine.

use durable_runtime::protocol::ErrorObject;

use super::{BoxFuture, StoreError, WorkflowId};
use crate::research::Job;

/// Starts and stops the executions of workflows, and completes callbacks by their id.
pub trait Executions: Send + Sync {
    /// Starts the execution of a research workflow, once for each workflow id. Answers without waiting for it.
    fn start(&self, job: Job) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Stops the execution of a workflow; one that has ended or was never started is none.
    fn stop(&self, id: WorkflowId) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Why the execution of a workflow ended, once it has, unless it was never started. A workflow closes its record
    /// before its execution ends, so this is of interest when the record is still open.
    fn ended(&self, id: WorkflowId) -> BoxFuture<'_, Result<Option<String>, StoreError>>;

    /// The callback succeeded with `result`, serialised.
    fn succeed(&self, callback_id: String, result: String) -> BoxFuture<'_, Result<(), DeliveryFailure>>;

    /// The callback failed.
    fn fail(&self, callback_id: String, error: ErrorObject) -> BoxFuture<'_, Result<(), DeliveryFailure>>;

    /// The one who will complete the callback is alive.
    fn heartbeat(&self, callback_id: String) -> BoxFuture<'_, Result<(), DeliveryFailure>>;
}

/// Why the service did not take a callback, by what to do next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryFailure {
    /// No callback has this id.
    #[error("no callback has this token")]
    Unknown,
    /// The callback was completed before, in the very same way.
    #[error("the callback was completed before in the same way")]
    Repeated,
    /// The callback is closed: it was completed otherwise, timed out, or its execution ended.
    #[error("the callback is closed")]
    Closed,
    /// The service could not be reached; try again.
    #[error("the durable execution service is not available: {0}")]
    Unavailable(String),
}
