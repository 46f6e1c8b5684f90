//! What Lambda recorded of an execution: its history, event by event, as operations.

use std::collections::HashMap;

use aws_sdk_lambda::{
    primitives::DateTime,
    types::{Event, EventType},
};
use durable_runtime::protocol::{OperationStatus, OperationType, Timestamp};

use crate::{
    aws::{LambdaExecutions, store_error},
    host::{OperationView, Recorded, Recorder},
    ports::{BoxFuture, StoreError, WorkflowId},
};

const WHAT: &str = "the durable execution service";
/// Events of one page.
const PAGE: i32 = 1000;

/// Reads histories.
#[derive(Clone, Debug)]
pub struct LambdaRecorder(LambdaExecutions);

impl LambdaRecorder {
    /// Histories of the executions that `executions` starts.
    #[must_use]
    pub fn new(executions: LambdaExecutions) -> Self {
        Self(executions)
    }
}

impl Recorder for LambdaRecorder {
    fn recorded(&self, id: WorkflowId) -> BoxFuture<'_, Result<Recorded, StoreError>> {
        Box::pin(async move {
            let Some(execution) = self.0.execution(&id).await? else { return Ok(Recorded::default()) };
            let request = self
                .0
                .lambda()
                .get_durable_execution_history()
                .durable_execution_arn(&execution.durable_execution_arn)
                .include_execution_data(true)
                .max_items(PAGE);
            let (mut history, mut marker) = (History::default(), None);
            loop {
                let page = request.clone().set_marker(marker).send().await;
                let page = page.map_err(|error| store_error(WHAT, error))?;
                page.events.iter().for_each(|event| history.add(event));
                marker = page.next_marker.filter(|marker| !marker.is_empty());
                if marker.is_none() {
                    return Ok(history.recorded);
                }
            }
        })
    }
}

/// A history that is read event by event.
#[derive(Default)]
struct History {
    recorded: Recorded,
    /// Where each operation is, and how many contexts it lies in.
    positions: HashMap<String, usize>,
}

impl History {
    fn add(&mut self, event: &Event) {
        let Some(event_type) = &event.event_type else { return };
        if *event_type == EventType::InvocationCompleted {
            self.recorded.invocations += 1;
            return;
        }
        let (Some((kind, status)), Some(id)) = (meaning(event_type), &event.id) else { return };
        let at = event.event_timestamp.as_ref().map_or(Timestamp::from_millis(0), moment);
        let position = *self.positions.entry(id.clone()).or_insert(self.recorded.operations.len());
        if position == self.recorded.operations.len() {
            let depth = event.parent_id.as_ref().and_then(|parent| self.depth_below(parent)).unwrap_or(0);
            let name = event.name.clone().unwrap_or_else(|| kind.to_string());
            self.recorded.operations.push(OperationView {
                name,
                kind,
                status,
                depth,
                attempts: None,
                started_at: at,
                ended_at: None,
                due_at: None,
                error: None,
            });
        }
        let Some(view) = self.recorded.operations.get_mut(position) else { return };
        view.status = status;
        view.due_at = None;
        if let Some(details) = &event.wait_started_details {
            view.due_at = Some(moment(&details.scheduled_end_timestamp));
        }
        if *event_type == EventType::StepStarted {
            view.attempts = Some(view.attempts.unwrap_or(0) + 1);
        }
        if let Some(error) = error_of(event) {
            view.error = Some(error);
        }
        let retry = event.step_failed_details.as_ref().and_then(|details| details.retry_details.as_ref());
        match retry.and_then(|retry| retry.next_attempt_delay_seconds) {
            Some(seconds) => {
                view.status = OperationStatus::Pending;
                let delay = std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
                view.due_at = Some(at.after(delay));
            }
            None if status.is_terminal() => view.ended_at = Some(at),
            None => {}
        }
        if view.status == OperationStatus::Succeeded {
            view.error = None;
        }
    }

    fn depth_below(&self, parent: &str) -> Option<usize> {
        let parent = self.recorded.operations.get(*self.positions.get(parent)?)?;
        Some(parent.depth + 1)
    }
}

/// What an event says of its operation; nothing when it is about the execution itself.
fn meaning(event: &EventType) -> Option<(OperationType, OperationStatus)> {
    use OperationStatus::{Cancelled, Failed, Started, Stopped, Succeeded, TimedOut};
    use OperationType::{Callback, ChainedInvoke, Context, Step, Wait};
    Some(match event {
        EventType::StepStarted => (Step, Started),
        EventType::StepSucceeded => (Step, Succeeded),
        EventType::StepFailed => (Step, Failed),
        EventType::WaitStarted => (Wait, Started),
        EventType::WaitSucceeded => (Wait, Succeeded),
        EventType::WaitCancelled => (Wait, Cancelled),
        EventType::CallbackStarted => (Callback, Started),
        EventType::CallbackSucceeded => (Callback, Succeeded),
        EventType::CallbackFailed => (Callback, Failed),
        EventType::CallbackTimedOut => (Callback, TimedOut),
        EventType::ContextStarted => (Context, Started),
        EventType::ContextSucceeded => (Context, Succeeded),
        EventType::ContextFailed => (Context, Failed),
        EventType::ChainedInvokeStarted => (ChainedInvoke, Started),
        EventType::ChainedInvokeSucceeded => (ChainedInvoke, Succeeded),
        EventType::ChainedInvokeFailed => (ChainedInvoke, Failed),
        EventType::ChainedInvokeTimedOut => (ChainedInvoke, TimedOut),
        EventType::ChainedInvokeStopped => (ChainedInvoke, Stopped),
        _ => return None,
    })
}

/// What is shown of a failure; without the execution's data only that there was one.
fn error_of(event: &Event) -> Option<String> {
    let error = None
        .or(event.step_failed_details.as_ref().and_then(|details| details.error.as_ref()))
        .or(event.callback_failed_details.as_ref().and_then(|details| details.error.as_ref()))
        .or(event.context_failed_details.as_ref().and_then(|details| details.error.as_ref()))?;
    let message = error.payload.as_ref()?.error_message.as_deref()?;
    Some(crate::error::sanitised(message))
}

fn moment(time: &DateTime) -> Timestamp {
    Timestamp::from_millis(time.to_millis().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{
        ErrorObject, EventError, RetryDetails, StepFailedDetails, builders::EventBuilder,
    };

    use super::*;

    fn event(kind: EventType, id: &str, at: i64) -> EventBuilder {
        Event::builder().event_type(kind).id(id).event_timestamp(DateTime::from_millis(at))
    }

    #[test]
    fn events_add_up_to_operations() {
        let error = EventError::builder()
            .payload(ErrorObject::builder().error_message("can't read /opt/secret").build())
            .build();
        let retry = RetryDetails::builder().current_attempt(1).next_attempt_delay_seconds(2).build();
        let failed = StepFailedDetails::builder().error(error).retry_details(retry).build();
        let events = [
            event(EventType::ExecutionStarted, "e", 0).build(),
            event(EventType::ContextStarted, "c", 1000).name("research_phase").build(),
            event(EventType::StepStarted, "s", 2000).parent_id("c").name("dispatch").build(),
            event(EventType::StepFailed, "s", 3000).step_failed_details(failed).build(),
            event(EventType::InvocationCompleted, "i", 3500).build(),
        ];
        let mut history = History::default();
        events.iter().for_each(|event| history.add(event));
        let [context, step] = history.recorded.operations.as_slice() else { panic!("two operations") };
        assert_eq!((context.name.as_str(), context.depth, context.ended_at), ("research_phase", 0, None));
        assert_eq!((step.name.as_str(), step.depth, step.attempts), ("dispatch", 1, Some(1)));
        assert_eq!(
            (step.status, step.due_at),
            (OperationStatus::Pending, Some(Timestamp::from_millis(5000)))
        );
        assert_eq!(step.error.as_deref(), Some("can't read [path]"));
        assert_eq!(history.recorded.invocations, 1);

        history.add(&event(EventType::StepStarted, "s", 5000).build());
        history.add(&event(EventType::StepSucceeded, "s", 6000).build());
        let step = &history.recorded.operations[1];
        assert_eq!(
            (step.status, step.attempts, step.error.as_deref()),
            (OperationStatus::Succeeded, Some(2), None)
        );
        assert_eq!((step.ended_at, step.due_at), (Some(Timestamp::from_millis(6000)), None));
    }
}
