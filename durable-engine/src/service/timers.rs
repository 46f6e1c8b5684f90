//! Everything that time does to an execution.

use std::time::Duration;

use durable_runtime::protocol::{ErrorObject, OperationStatus, OperationType, Timestamp};

use super::{
    EventDetails, Execution, ExecutionStatus,
    event::{ErrorDetails, WaitSucceededDetails},
    execution::End,
};

/// What [`Execution::fire_due`] may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum During {
    /// The changes travel in this checkpoint's own answer: no invocation is owed for them.
    Checkpoint,
    /// The changes must lead to an invocation.
    AnyOtherTime,
}

impl Execution {
    /// Fires everything whose time has come: waits, retries, time limits of callbacks and of the execution
    /// itself. While an invocation runs, waits and retries are left to its next checkpoint, which delivers
    /// them; nothing is lost, for the end of the invocation fires them too.
    pub fn fire_due(&mut self, now: Timestamp) {
        if self.fire_deadline(now) {
            return;
        }
        self.fire_callbacks(now);
        if self.record.invocation.is_none() {
            self.fire_timers(now, During::AnyOtherTime);
        }
    }

    /// The next moment at which [`Self::fire_due`] has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.record.status.is_terminal() {
            return None;
        }
        let callbacks = self.callback_timers.values().filter_map(super::CallbackTimer::due);
        let timers = self.timers.first().filter(|_| self.record.invocation.is_none()).map(|(due, _)| *due);
        callbacks.chain(timers).chain([self.record.deadline()]).min()
    }

    /// What the record says about when to look at this execution again, see
    /// [`ExecutionRecord::due_at`](super::ExecutionRecord::due_at).
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        if self.record.invocation.is_some() {
            return Some(Timestamp::default());
        }
        let parent_owed = self.record.parent.as_ref().is_some_and(|parent| parent.owed);
        if self.record.status.is_terminal() {
            return self.record.ended_at.filter(|_| parent_owed);
        }
        let owed_at = self.record.owed_at.filter(|_| self.record.status == ExecutionStatus::Running);
        owed_at.into_iter().chain(self.next_due()).min()
    }

    /// Fires what is due inside a checkpoint call, so that a running invocation sees it in the answer.
    pub(super) fn settle_due_in_checkpoint(&mut self, now: Timestamp) {
        if self.record.status.is_terminal() || self.fire_deadline(now) {
            return;
        }
        self.fire_callbacks(now);
        self.fire_timers(now, During::Checkpoint);
    }

    /// Fires the waits and retries that are due, when the invocation has just ended. True when there were any.
    pub(super) fn settle_due_at_suspension(&mut self, now: Timestamp) -> bool {
        self.fire_callbacks(now) | self.fire_timers(now, During::AnyOtherTime)
    }

    fn fire_deadline(&mut self, now: Timestamp) -> bool {
        let due = !self.record.status.is_terminal() && self.record.deadline() <= now;
        if due {
            let message = format!("Execution timed out after {} seconds.", self.record.timeout_seconds);
            self.end(End::TimedOut(ErrorObject::new("Execution.Timeout", message)), now);
        }
        due
    }

    fn fire_timers(&mut self, now: Timestamp, during: During) -> bool {
        let mut fired = false;
        while let Some((due, position)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, position));
            fired = true;
            let operation = self.at_mut(position);
            if operation.operation_type == OperationType::Wait {
                let duration = due.since(operation.start_timestamp).as_secs();
                self.close(position, OperationStatus::Succeeded, now);
                let details = WaitSucceededDetails { duration: Some(duration) };
                self.emit_about(position, EventDetails::WaitSucceeded(details), now, None);
            } else {
                operation.status = OperationStatus::Ready;
                if let Some(details) = &mut operation.step_details {
                    details.next_attempt_timestamp = None;
                }
                self.touch(position);
            }
            match during {
                During::Checkpoint => {
                    self.session.as_mut().expect("a checkpoint has a session").settled_in_checkpoint = true;
                }
                During::AnyOtherTime => self.owe_invocation(Some(position), now),
            }
        }
        fired
    }

    fn fire_callbacks(&mut self, now: Timestamp) -> bool {
        let due: Vec<_> = self
            .callback_timers
            .iter()
            .filter(|(_, timer)| timer.due().is_some_and(|due| due <= now))
            .map(|(position, timer)| (*position, *timer))
            .collect();
        for (position, timer) in &due {
            let (kind, message) = if timer.expires_at.is_some_and(|expires| expires <= now) {
                ("Callback.Timeout", "Callback timed out")
            } else {
                ("Callback.Heartbeat", "Callback timed out on heartbeat")
            };
            let error = ErrorObject::new(kind, message);
            if let Some(details) = &mut self.at_mut(*position).callback_details {
                details.error = Some(error.clone());
            }
            self.close(*position, OperationStatus::TimedOut, now);
            let details = ErrorDetails { error: Some(error).into() };
            self.emit_about(*position, EventDetails::CallbackTimedOut(details), now, None);
            self.owe_invocation(Some(*position), now);
        }
        !due.is_empty()
    }
}

/// How long after the `failures`-th failed invocation in a row the next one begins: 0.1 s, then five times
/// longer each time, up to 5 s. The first one is prompt because most crashes are not repeated.
pub(super) fn backoff(failures: u32) -> Duration {
    let factor = 5_u32.saturating_pow(failures.saturating_sub(1));
    Duration::from_millis(100).saturating_mul(factor).min(Duration::from_secs(5))
}
