//! What an invocation is shown of its execution.

use durable_runtime::protocol::{ExecutionState, Operation, OperationStatus, OperationType, Payload};

use super::{Execution, Refusal};

/// How much of the state travels in one page: in the envelope, and in each further page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// Operations in a page, at least 1.
    pub operations: usize,
    /// Bytes of a page, roughly; a page holds at least one operation.
    pub bytes: usize,
}

impl PageLimit {
    /// Everything in one page: the default for workflows in this process.
    pub const NONE: Self = Self { operations: usize::MAX, bytes: usize::MAX };
}

impl Execution {
    /// A page of the state for the holder of the current token, which is not consumed.
    ///
    /// # Errors
    ///
    /// The token is stale or the marker is none of ours.
    pub fn state_page(&self, token: &str, marker: &str, limit: PageLimit) -> Result<ExecutionState, Refusal> {
        self.check_token(token)?;
        let from = if marker.is_empty() {
            0
        } else {
            let position = marker.parse::<usize>().ok().filter(|position| *position < self.operations.len());
            position.ok_or_else(|| Refusal::Invalid("Invalid marker".into()))?
        };
        Ok(self.page(from, limit))
    }

    /// The operations from position `from` on, in order of creation, without those that a finished context
    /// makes superfluous.
    pub(super) fn page(&self, from: usize, limit: PageLimit) -> ExecutionState {
        let visible = self.visible();
        let mut operations =
            Vec::with_capacity(self.operations.len().saturating_sub(from).min(limit.operations));
        let mut bytes = 0_usize;
        for (position, operation) in self.operations.iter().enumerate().skip(from) {
            if !visible.get(position).copied().unwrap_or(false) {
                continue;
            }
            bytes = bytes.saturating_add(approximate_bytes(operation));
            if !operations.is_empty() && (operations.len() >= limit.operations || bytes > limit.bytes) {
                return ExecutionState { operations, next_marker: Some(position.to_string()) };
            }
            operations.push(operation.clone());
        }
        ExecutionState { operations, next_marker: None }
    }

    /// For each operation, whether an invocation needs it: not below a context that has finished, unless
    /// that context is rebuilt from its children. Parents precede their children.
    fn visible(&self) -> Vec<bool> {
        let mut visible: Vec<bool> = Vec::with_capacity(self.operations.len());
        for operation in &self.operations {
            let parent = operation.parent_id.as_ref().and_then(|id| self.index.get(id));
            visible.push(parent.is_none_or(|parent| {
                visible.get(*parent).copied().unwrap_or(true) && !hides_children(self.at(*parent))
            }));
        }
        visible
    }
}

fn hides_children(parent: &Operation) -> bool {
    let finished = matches!(parent.status, OperationStatus::Succeeded | OperationStatus::Failed);
    let replays =
        parent.context_details.as_ref().and_then(|details| details.replay_children).unwrap_or(false);
    parent.operation_type == OperationType::Context && finished && !replays
}

/// The size of an operation on the wire, near enough to cut pages by.
fn approximate_bytes(operation: &Operation) -> usize {
    const ENVELOPE: usize = 256;
    let payload = payload_of(operation).map_or(0, |payload| payload.len());
    let errors = [
        operation.step_details.as_ref().and_then(|details| details.error.as_ref()),
        operation.context_details.as_ref().and_then(|details| details.error.as_ref()),
        operation.callback_details.as_ref().and_then(|details| details.error.as_ref()),
        operation.chained_invoke_details.as_ref().and_then(|details| details.error.as_ref()),
    ];
    let errors = errors.into_iter().flatten().map(|error| {
        error.error_message.as_ref().map_or(0, String::len) + error.error_data.as_ref().map_or(0, String::len)
    });
    ENVELOPE + payload + errors.sum::<usize>()
}

/// The one payload of an operation, whatever its kind.
fn payload_of(operation: &Operation) -> Option<&Payload> {
    match operation.operation_type {
        OperationType::Execution => operation.execution_details.as_ref()?.input_payload.as_ref(),
        OperationType::Context => operation.context_details.as_ref()?.result.as_ref(),
        OperationType::Step => operation.step_details.as_ref()?.result.as_ref(),
        OperationType::Callback => operation.callback_details.as_ref()?.result.as_ref(),
        OperationType::ChainedInvoke => operation.chained_invoke_details.as_ref()?.result.as_ref(),
        OperationType::Wait | OperationType::Unknown => None,
    }
}

/// Where the one payload of an operation stands; `None` when its kind has none.
pub(crate) fn payload_slot(operation: &mut Operation) -> Option<&mut Option<Payload>> {
    match operation.operation_type {
        OperationType::Execution => Some(&mut operation.execution_details.as_mut()?.input_payload),
        OperationType::Context => Some(&mut operation.context_details.as_mut()?.result),
        OperationType::Step => Some(&mut operation.step_details.as_mut()?.result),
        OperationType::Callback => Some(&mut operation.callback_details.as_mut()?.result),
        OperationType::ChainedInvoke => Some(&mut operation.chained_invoke_details.as_mut()?.result),
        OperationType::Wait | OperationType::Unknown => None,
    }
}
