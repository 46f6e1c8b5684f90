//! What each update does to its operation, and the event it leaves. The update was validated.
//!
//! | type | START | SUCCEED | FAIL | RETRY | CANCEL |
//! | --- | --- | --- | --- | --- | --- |
//! | STEP | STARTED | SUCCEEDED | FAILED | PENDING | |
//! | CONTEXT | STARTED | SUCCEEDED | FAILED | | |
//! | WAIT | STARTED | | | | CANCELLED |
//! | CALLBACK | STARTED | | | | |
//! | CHAINED_INVOKE | STARTED | | | | CANCELLED |
//! | EXECUTION | | ends the execution | ends the execution | | |

use std::time::Duration;

use durable_runtime::protocol::{
    CallbackDetails, ContextDetails, ErrorObject, Operation, OperationAction as Action,
    OperationStatus as Status, OperationType as Type, OperationUpdate, StepDetails, Timestamp, WaitDetails,
};

use super::{
    CallbackId, CallbackTimer, EventDetails, Execution, PayloadHome, Surroundings,
    event::{
        CallbackStartedDetails, EmptyDetails, ErrorDetails, OptionalErrorDetails, ResultDetails,
        RetryDetails, StepFailedDetails, StepSucceededDetails, WaitStartedDetails,
    },
    execution::End,
};

impl Execution {
    /// Applies one update. An execution that it starts is added to `children`.
    pub(super) fn apply(
        &mut self,
        update: OperationUpdate,
        surroundings: &mut Surroundings<'_>,
        children: &mut Vec<Execution>,
    ) {
        let now = surroundings.now;
        match update.operation_type {
            Type::Execution => self.apply_to_execution(update, now),
            Type::Step => self.apply_to_step(update, now),
            Type::Context => self.apply_to_context(update, now),
            Type::Wait => self.apply_to_wait(update, now),
            Type::Callback => self.start_callback(update, surroundings),
            Type::ChainedInvoke => self.apply_to_chained_invoke(update, surroundings, children),
            Type::Unknown => unreachable!("updates of an unknown type are refused"),
        }
    }

    /// The position of the update's operation, which is created when there is none.
    pub(super) fn position_for(&mut self, update: &OperationUpdate, now: Timestamp) -> usize {
        if let Some(position) = self.index.get(&update.id) {
            return *position;
        }
        let mut operation = Operation::started(update.id.clone(), update.operation_type, now);
        operation.parent_id.clone_from(&update.parent_id);
        operation.name.clone_from(&update.name);
        operation.sub_type.clone_from(&update.sub_type);
        self.push_operation(operation)
    }

    fn apply_to_execution(&mut self, update: OperationUpdate, now: Timestamp) {
        // The service ignores the update's id, and takes everything but SUCCEED for a failure.
        self.end(
            match update.action {
                Action::Succeed => End::Succeeded(update.payload),
                _ => End::Failed(Some(update.error.unwrap_or_else(|| ErrorObject {
                    error_message: Some("There is no error detail but the action is not SUCCEED.".into()),
                    ..ErrorObject::default()
                }))),
            },
            now,
        );
    }

    fn apply_to_step(&mut self, update: OperationUpdate, now: Timestamp) {
        let position = self.position_for(&update, now);
        let home = u32::try_from(position).ok().map(PayloadHome::Operation);
        let details = self.at_mut(position).step_details.get_or_insert_with(StepDetails::default);
        let attempt = details.attempt.unwrap_or(0) + 1;
        let mut retry_details = RetryDetails { current_attempt: attempt, next_attempt_delay_seconds: None };
        match update.action {
            Action::Start => {
                // The result stays: it is a condition's state, needed again if this attempt is interrupted.
                self.at_mut(position).status = Status::Started;
                self.touch(position);
                self.emit_about(position, EventDetails::StepStarted(EmptyDetails {}), now, None);
            }
            Action::Succeed => {
                *details = StepDetails {
                    attempt: Some(attempt),
                    result: update.payload.clone(),
                    ..StepDetails::default()
                };
                self.close(position, Status::Succeeded, now);
                let details = StepSucceededDetails { result: update.payload.into(), retry_details };
                self.emit_about(position, EventDetails::StepSucceeded(details), now, home);
            }
            Action::Fail => {
                *details = StepDetails {
                    attempt: Some(attempt),
                    error: update.error.clone(),
                    ..StepDetails::default()
                };
                self.close(position, Status::Failed, now);
                let details = StepFailedDetails { error: update.error.into(), retry_details };
                self.emit_about(position, EventDetails::StepFailed(details), now, None);
            }
            Action::Retry => {
                let delay = update.step_options.map_or(1, |options| options.next_attempt_delay_seconds);
                let due = now.after(Duration::from_secs(delay));
                retry_details.next_attempt_delay_seconds = Some(delay);
                *details = StepDetails {
                    attempt: Some(attempt),
                    next_attempt_timestamp: Some(due),
                    result: update.payload.clone(),
                    error: update.error.clone(),
                };
                self.at_mut(position).status = Status::Pending;
                self.timers.insert((due, position));
                self.touch(position);
                let details = match update.error {
                    Some(error) => EventDetails::StepFailed(StepFailedDetails {
                        error: Some(error).into(),
                        retry_details,
                    }),
                    None => EventDetails::StepSucceeded(StepSucceededDetails {
                        result: update.payload.into(),
                        retry_details,
                    }),
                };
                // The next attempt replaces the state in the operation, so this event keeps its own copy.
                self.emit_about(position, details, now, None);
            }
            Action::Cancel => unreachable!("CANCEL of a STEP is refused"),
        }
    }

    fn apply_to_context(&mut self, update: OperationUpdate, now: Timestamp) {
        let position = self.position_for(&update, now);
        let home = u32::try_from(position).ok().map(PayloadHome::Operation);
        match update.action {
            Action::Start => {
                self.emit_about(position, EventDetails::ContextStarted(EmptyDetails {}), now, None);
            }
            Action::Succeed => {
                let replay_children = update.context_options.is_some_and(|options| options.replay_children);
                self.at_mut(position).context_details = Some(ContextDetails {
                    replay_children: replay_children.then_some(true),
                    result: update.payload.clone(),
                    error: None,
                });
                self.close(position, Status::Succeeded, now);
                let details = ResultDetails { result: update.payload.into() };
                self.emit_about(position, EventDetails::ContextSucceeded(details), now, home);
            }
            _ => {
                self.at_mut(position).context_details =
                    Some(ContextDetails { error: update.error.clone(), ..ContextDetails::default() });
                self.close(position, Status::Failed, now);
                let details = ErrorDetails { error: update.error.into() };
                self.emit_about(position, EventDetails::ContextFailed(details), now, None);
            }
        }
    }

    fn apply_to_wait(&mut self, update: OperationUpdate, now: Timestamp) {
        let position = self.position_for(&update, now);
        if update.action == Action::Cancel {
            self.close(position, Status::Cancelled, now);
            let details = OptionalErrorDetails { error: update.error.map(|error| Some(error).into()) };
            return self.emit_about(position, EventDetails::WaitCancelled(details), now, None);
        }
        let duration = update.wait_options.map_or(1, |options| options.wait_seconds);
        let due = now.after(Duration::from_secs(duration));
        self.at_mut(position).wait_details = Some(WaitDetails { scheduled_end_timestamp: Some(due) });
        self.timers.insert((due, position));
        let details = WaitStartedDetails { duration, scheduled_end_timestamp: due };
        self.emit_about(position, EventDetails::WaitStarted(details), now, None);
    }

    fn start_callback(&mut self, update: OperationUpdate, surroundings: &mut Surroundings<'_>) {
        let now = surroundings.now;
        let position = self.position_for(&update, now);
        let id = CallbackId {
            execution: self.record.key,
            position: u32::try_from(position).expect("an execution has at most 30,000 operations"),
            nonce: surroundings.nonce_for(position),
        };
        self.at_mut(position).callback_details = Some(Box::new(CallbackDetails {
            callback_id: Some(id.to_string()),
            ..CallbackDetails::default()
        }));
        let options = update.callback_options.unwrap_or_default();
        // Zero means "no limit": one of the official SDKs always sends both members.
        let timeout = options.timeout_seconds.filter(|seconds| *seconds > 0);
        let heartbeat_timeout = options.heartbeat_timeout_seconds.filter(|seconds| *seconds > 0);
        if timeout.is_some() || heartbeat_timeout.is_some() {
            self.callback_timers.insert(position, CallbackTimer::new(timeout, heartbeat_timeout, now));
        }
        let details = CallbackStartedDetails { callback_id: id.to_string(), heartbeat_timeout, timeout };
        self.emit_about(position, EventDetails::CallbackStarted(details), now, None);
    }
}
