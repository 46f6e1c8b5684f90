//! Those who want to hear of callbacks: receivers that the operator registered, told by executions of their own.

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::{BoxFuture, StoreError, WorkflowId};
use crate::research::Phase;

/// What a receiver is told of a callback: that it came, never what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Identifies the notice; the request of the callback has the same id.
    pub id: String,
    /// What became of the callback, in the words of its answer.
    pub event: String,
    /// `SUCCESS` or `FAILURE`.
    pub status: String,
    /// The token, redacted.
    pub token: String,
    /// Whose callback, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<WorkflowId>,
    /// Of which phase, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// When it arrived; as text, since receivers read it.
    #[serde(serialize_with = "as_text")]
    pub received_at: Timestamp,
}

fn as_text<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

/// The registered receivers.
pub trait Webhooks: Send + Sync {
    /// Begins to tell every receiver, each in an execution of its own that nobody waits for. Answers once that
    /// can't be lost any more; the same notice is told once.
    fn announce(&self, notice: Notice) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Posts to addresses outside of the deployment.
pub trait HttpPost: Send + Sync {
    /// Posts a JSON body; the answer is the status. Redirections are not followed.
    ///
    /// # Errors
    ///
    /// There was no answer in time; the message names no address.
    fn post(
        &self,
        url: String,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> BoxFuture<'_, Result<u16, String>>;
}
