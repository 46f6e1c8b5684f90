//! From events back to the operations that an invocation would be given.

use std::collections::BTreeMap;

use durable_engine::service::{Event, EventDetails, EventPayload, RetryDetails};
use durable_runtime::protocol::{
    CallbackDetails, ChainedInvokeDetails, ContextDetails, ErrorObject, ExecutionDetails, Operation,
    OperationId, OperationStatus, OperationType, Payload, StepDetails, Timestamp, WaitDetails,
};

/// The operations after `events`, in the order in which they were begun.
pub(super) fn fold(events: &[Event]) -> Vec<Operation> {
    let mut state = State::default();
    for event in events {
        state.take(event);
    }
    state.operations
}

/// Says of every succeeded context that its result is rebuilt from its children.
pub(super) fn rebuild_contexts(operations: &mut [Operation]) {
    for operation in operations {
        if let (OperationStatus::Succeeded, Some(details)) =
            (operation.status, &mut operation.context_details)
        {
            details.replay_children = Some(true);
        }
    }
}

#[derive(Default)]
struct State {
    operations: Vec<Operation>,
    positions: BTreeMap<OperationId, usize>,
}

impl State {
    fn begin(&mut self, event: &Event, operation_type: OperationType) -> Option<&mut Operation> {
        let id = event.id.clone()?;
        let position = *self.positions.entry(id.clone()).or_insert_with(|| {
            let mut operation = Operation::started(id, operation_type, event.event_timestamp);
            operation.name.clone_from(&event.name);
            operation.parent_id.clone_from(&event.parent_id);
            operation.sub_type.clone_from(&event.sub_type);
            self.operations.push(operation);
            self.operations.len() - 1
        });
        let operation = self.operations.get_mut(position)?;
        operation.status = OperationStatus::Started;
        Some(operation)
    }

    /// The operation of an event that ends something, with its new status.
    fn end(&mut self, event: &Event, status: OperationStatus) -> Option<&mut Operation> {
        let position = *self.positions.get(event.id.as_ref()?)?;
        let operation = self.operations.get_mut(position)?;
        operation.status = status;
        operation.end_timestamp = Some(event.event_timestamp);
        Some(operation)
    }

    fn take(&mut self, event: &Event) {
        // An event of an operation that never began is none that an invocation could know of.
        let _ = self.apply(event);
    }

    fn apply(&mut self, event: &Event) -> Option<()> {
        use OperationStatus as Status;
        match &event.details {
            EventDetails::ExecutionStarted(details) => {
                let execution = self.begin(event, OperationType::Execution)?;
                let input_payload = details.input.payload.clone();
                execution.execution_details = Some(ExecutionDetails { input_payload });
            }
            EventDetails::ContextStarted(_) => {
                self.begin(event, OperationType::Context)?.context_details = Some(ContextDetails::default());
            }
            EventDetails::ContextSucceeded(details) => {
                let context = self.end(event, Status::Succeeded)?;
                // A result that was too large for its record leaves nothing, or a summary.
                let rebuilt = details.result.payload.as_ref().is_some_and(is_summary);
                context.context_details = Some(ContextDetails {
                    replay_children: rebuilt.then_some(true),
                    result: details.result.payload.clone(),
                    error: None,
                });
            }
            EventDetails::ContextFailed(details) => {
                let error = details.error.payload.clone();
                let context = self.end(event, Status::Failed)?;
                context.context_details = Some(ContextDetails { error, ..ContextDetails::default() });
            }
            EventDetails::StepStarted(_) => {
                let step = self.begin(event, OperationType::Step)?.step_details.get_or_insert_default();
                step.next_attempt_timestamp = None;
            }
            EventDetails::StepSucceeded(details) => {
                self.end_attempt(event, &details.retry_details, Ok(&details.result))?;
            }
            EventDetails::StepFailed(details) => {
                self.end_attempt(event, &details.retry_details, Err(details.error.payload.as_ref()))?;
            }
            EventDetails::WaitStarted(details) => {
                let wait = self.begin(event, OperationType::Wait)?;
                wait.wait_details =
                    Some(WaitDetails { scheduled_end_timestamp: Some(details.scheduled_end_timestamp) });
            }
            EventDetails::WaitSucceeded(_) => drop(self.end(event, Status::Succeeded)?),
            EventDetails::WaitCancelled(_) => drop(self.end(event, Status::Cancelled)?),
            EventDetails::CallbackStarted(details) => {
                let callback_id = Some(details.callback_id.clone());
                let callback = self.begin(event, OperationType::Callback)?;
                let details = CallbackDetails { callback_id, ..CallbackDetails::default() };
                callback.callback_details = Some(Box::new(details));
            }
            EventDetails::CallbackSucceeded(details) => {
                let callback = self.end(event, Status::Succeeded)?.callback_details.as_mut()?;
                callback.result.clone_from(&details.result.payload);
            }
            EventDetails::CallbackFailed(details) => {
                let callback = self.end(event, Status::Failed)?.callback_details.as_mut()?;
                callback.error.clone_from(&details.error.payload);
            }
            EventDetails::CallbackTimedOut(details) => {
                let callback = self.end(event, Status::TimedOut)?.callback_details.as_mut()?;
                callback.error.clone_from(&details.error.payload);
            }
            EventDetails::ChainedInvokeStarted(_) => {
                let invoke = self.begin(event, OperationType::ChainedInvoke)?;
                invoke.chained_invoke_details = Some(Box::default());
            }
            EventDetails::ChainedInvokeSucceeded(details) => {
                let result = details.result.payload.clone();
                self.end(event, Status::Succeeded)?.chained_invoke_details =
                    Some(Box::new(ChainedInvokeDetails { result, error: None }));
            }
            EventDetails::ChainedInvokeFailed(details) => {
                self.end_invoke(event, Status::Failed, details.error.payload.clone())?;
            }
            EventDetails::ChainedInvokeStopped(details) => {
                self.end_invoke(event, Status::Stopped, details.error.payload.clone())?;
            }
            EventDetails::ChainedInvokeTimedOut(details) => {
                self.end_invoke(event, Status::TimedOut, details.error.payload.clone())?;
            }
            // How the execution itself ended is compared by the caller. A pause changes nothing that an invocation sees.
            EventDetails::ExecutionPaused(_)
            | EventDetails::ExecutionResumed(_)
            | EventDetails::ExecutionSucceeded(_)
            | EventDetails::ExecutionFailed(_)
            | EventDetails::ExecutionStopped(_)
            | EventDetails::ExecutionTimedOut(_)
            | EventDetails::InvocationCompleted(_) => {}
        }
        Some(())
    }

    fn end_invoke(
        &mut self,
        event: &Event,
        status: OperationStatus,
        error: Option<ErrorObject>,
    ) -> Option<()> {
        self.end(event, status)?.chained_invoke_details =
            Some(Box::new(ChainedInvokeDetails { result: None, error }));
        Some(())
    }

    fn end_attempt(
        &mut self,
        event: &Event,
        retry: &RetryDetails,
        ended: Result<&EventPayload, Option<&ErrorObject>>,
    ) -> Option<()> {
        let status = match (retry.next_attempt_delay_seconds, &ended) {
            (Some(_), _) => OperationStatus::Pending,
            (None, Ok(_)) => OperationStatus::Succeeded,
            (None, Err(_)) => OperationStatus::Failed,
        };
        let operation = self.end(event, status)?;
        if status == OperationStatus::Pending {
            operation.end_timestamp = None;
        }
        let step = operation.step_details.get_or_insert_with(StepDetails::default);
        step.attempt = Some(retry.current_attempt);
        step.next_attempt_timestamp = retry
            .next_attempt_delay_seconds
            .map(|seconds| event.event_timestamp.after(std::time::Duration::from_secs(seconds)));
        match ended {
            Ok(result) => step.result.clone_from(&result.payload),
            Err(error) => step.error = error.cloned(),
        }
        Some(())
    }
}

/// The moment of the last event.
pub(super) fn end_of(events: &[Event]) -> Timestamp {
    events.last().map(|event| event.event_timestamp).unwrap_or_default()
}

/// What a context leaves whose result is rebuilt: nothing, or how the branches of a group ended.
fn is_summary(result: &Payload) -> bool {
    result.is_empty()
        || serde_json::from_str::<serde_json::Value>(result).is_ok_and(|result| {
            result.get("itemStatuses").is_some() && result.get("completionReason").is_some()
        })
}
