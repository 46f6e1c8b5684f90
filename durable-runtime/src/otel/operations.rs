//! Which operations of an execution have not ended, as far as this invocation has met them.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::{
    plugin::{OperationInfo, OperationsChanged},
    protocol::{OperationId, OperationStatus, Timestamp},
};

#[derive(Default)]
pub(super) struct OpenOperations {
    open: FxHashMap<OperationId, OperationInfo>,
    /// What has a span already, or had one in an earlier invocation.
    settled: FxHashSet<OperationId>,
}

impl OpenOperations {
    pub(super) fn started(&mut self, operation: &OperationInfo) {
        let known = self.open.entry(operation.id.clone()).or_insert_with(|| operation.clone());
        known.started_at = known.started_at.or(operation.started_at);
    }

    /// Code of the operation runs, so it has started, although the service may not know yet.
    pub(super) fn attempted(&mut self, operation: &OperationId, at: Timestamp) {
        if let Some(open) = self.open.get_mut(operation) {
            open.started_at.get_or_insert(at);
        }
    }

    /// Takes in what the service says.
    pub(super) fn changed(&mut self, change: &OperationsChanged<'_>) {
        for operation in change.updated {
            if let Some(open) = self.open.get_mut(&operation.id) {
                open.clone_from(operation);
            }
            if is_terminal(operation) && ended_before(change, operation) {
                self.settled.insert(operation.id.clone());
            }
        }
    }

    /// The operation has ended; false when its span was exported before.
    pub(super) fn ended(&mut self, operation: &OperationId) -> bool {
        self.open.remove(operation);
        self.settled.insert(operation.clone())
    }

    /// What is still open below a context that has ended.
    pub(super) fn take_below(&mut self, context: &OperationId) -> Vec<OperationInfo> {
        let mut below: Vec<OperationInfo> = self.take_children(context);
        let mut next = 0;
        while let Some(parent) = below.get(next).map(|operation| operation.id.clone()) {
            below.extend(self.take_children(&parent));
            next += 1;
        }
        below
    }

    fn take_children(&mut self, context: &OperationId) -> Vec<OperationInfo> {
        let children = self.open.extract_if(|_, operation| operation.parent_id.as_ref() == Some(context));
        let children: Vec<_> = children.map(|(_, operation)| operation).collect();
        self.settled.extend(children.iter().map(|operation| operation.id.clone()));
        children
    }

    pub(super) fn take_all(&mut self) -> Vec<OperationInfo> {
        self.open.drain().map(|(_, operation)| operation).collect()
    }
}

fn is_terminal(operation: &OperationInfo) -> bool {
    operation.status.is_some_and(OperationStatus::is_terminal)
}

/// True when a context around the operation ended earlier than the operation itself: a timer that lost a race goes
/// on at the service, and its span was exported with the context's.
fn ended_before(change: &OperationsChanged<'_>, operation: &OperationInfo) -> bool {
    let mut parent = operation.parent_id.clone();
    while let Some(context) = parent.and_then(|id| change.operation(&id)) {
        if is_terminal(&context) && context.ended_at < operation.ended_at {
            return true;
        }
        parent = context.parent_id;
    }
    false
}
