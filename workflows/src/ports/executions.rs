//! The durable execution service as the callback handler needs it: AWS Lambda or the embedded engine.

use durable_runtime::protocol::ErrorObject;

use super::BoxFuture;

/// Completes callbacks by their id.
pub trait Executions: Send + Sync {
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
