//! Domain events: an EventBridge bus in the cloud, an append-only table on one machine.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BoxFuture, StoreError, WorkflowId};

/// Something that happened to a workflow and that others may care about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DomainEvent {
    /// Whose event. Together with the kind it identifies the event: emitting it again changes nothing.
    pub workflow_id: WorkflowId,
    /// What happened, such as `workflow_completed`.
    pub kind: String,
    /// Facts that belong to it.
    pub detail: Value,
}

/// The bus.
pub trait Events: Send + Sync {
    /// Emits an event, once for each workflow and kind.
    fn emit(&self, event: DomainEvent) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The events of a workflow, oldest first.
    fn of(&self, workflow_id: WorkflowId) -> BoxFuture<'_, Result<Vec<DomainEvent>, StoreError>>;
}
