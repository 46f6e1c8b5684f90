//! How an invocation begins and ends.

use std::collections::BTreeSet;

use durable_runtime::{
    protocol::{
        ErrorObject, InvocationInput, InvocationOutput, OperationStatus as Status, OperationType as Type,
        Timestamp, limits,
    },
    service::CheckpointResponse,
};
use uuid::Uuid;

use super::{
    EventDetails, Execution, ExecutionStatus, Invocation, PageLimit, event::InvocationCompletedDetails,
    execution::End, timers::backoff, token::CheckpointToken,
};

/// Failed invocations in a row, none of which began or finished an operation, after which the execution fails with the
/// last one's error.
pub const CONSECUTIVE_FAILURES: u32 = 5;

/// The error type of an invocation whose process or task died.
pub const RUNTIME_EXIT_ERROR: &str = "Runtime.ExitError";

/// The running invocation's side of the state. Never stored: it dies with the process that runs it.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Of the current token.
    pub(super) sequence: u64,
    /// Positions of the operations that changed since the client was last told.
    pub(super) undelivered: BTreeSet<usize>,
    /// The service changed something that the invocation may not act on: invoke again at once.
    pub(super) reinvoke: bool,
    /// A wait or retry was completed inside a checkpoint, and delivered in its answer.
    pub(super) settled_in_checkpoint: bool,
    /// It began or finished an operation: should it fail, it is not one more failure in the same place.
    pub(super) has_progressed: bool,
    /// The execution was paused during this invocation: it is to end, and its answer does not count.
    pub(super) interrupted: bool,
    /// Names the invocation in its tokens, which nobody else can guess.
    pub(super) secret: u128,
    pub(super) last: Option<LastCheckpoint>,
}

/// The last accepted checkpoint, in case its answer was lost.
#[derive(Debug)]
pub(super) struct LastCheckpoint {
    pub(super) client_token: String,
    pub(super) checkpoint_token: String,
    pub(super) response: CheckpointResponse,
}

/// What the end of an invocation meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It was not the current invocation: its answer was ignored.
    Ignored,
    /// It was recorded.
    Recorded,
}

impl Execution {
    /// True when an invocation should begin now.
    #[must_use]
    pub fn owes_invocation(&self, now: Timestamp) -> bool {
        self.record.invocation.is_none()
            && self.record.status == ExecutionStatus::Running
            && self.record.owed_at.is_some_and(|owed| owed <= now)
    }

    /// True when this process runs an invocation of the execution.
    #[must_use]
    pub fn is_hosted(&self) -> bool {
        self.session.is_some()
    }

    /// Begins an invocation. All tokens of earlier ones are void from now on; those of this one are made with `secret`,
    /// for its id is no secret: functions log it.
    pub fn begin_invocation(
        &mut self,
        id: Uuid,
        secret: u128,
        limit: PageLimit,
        now: Timestamp,
    ) -> InvocationInput {
        debug_assert!(self.record.invocation.is_none(), "an execution has at most one invocation");
        self.record.invocation = Some(Invocation { id, started_at: now });
        self.record.owed_at = None;
        self.session = Some(Session { secret, ..Session::default() });
        self.touch_record();
        InvocationInput {
            durable_execution_arn: self.record.arn(),
            checkpoint_token: CheckpointToken { sequence: 0, secret }.to_string(),
            initial_execution_state: self.page(0, limit),
            updated_operation_ids: std::mem::take(&mut self.record.updated),
        }
    }

    /// Ends the invocation `id`: with its output, or with the error of an invocation that failed.
    ///
    /// `InvocationCompleted` precedes the event that the output causes. After
    /// [`CONSECUTIVE_FAILURES`] failed ones in a row the execution fails.
    pub fn finish_invocation(
        &mut self,
        id: Uuid,
        ended: Result<InvocationOutput, ErrorObject>,
        now: Timestamp,
    ) -> Finished {
        let Some(invocation) = self.record.invocation.filter(|invocation| invocation.id == id) else {
            return Finished::Ignored;
        };
        self.record.invocation = None;
        self.touch_record();
        let session = self.session.take().unwrap_or_default();
        let ended = ended.and_then(|output| {
            if session.interrupted { Ok(output) } else { self.check_output(output, &session, now) }
        });
        let error = match &ended {
            Ok(InvocationOutput::Failed { error }) => error.clone(),
            Ok(_) => None,
            Err(error) => Some(error.clone()),
        };
        let completed = EventDetails::InvocationCompleted(InvocationCompletedDetails {
            start_timestamp: invocation.started_at,
            end_timestamp: now,
            request_id: id,
            error: error.map(|error| Some(error).into()),
        });
        self.emit(completed, now);
        if self.record.status.is_terminal() {
            // Stopped, timed out, or ended by a checkpoint: that state stands, the answer is ignored.
            return Finished::Recorded;
        }
        match ended {
            _ if session.interrupted => self.owe_invocation(None, now),
            Ok(InvocationOutput::Succeeded { result }) => self.end(End::Succeeded(result), now),
            Ok(InvocationOutput::Failed { error }) => self.end(End::Failed(error), now),
            Ok(InvocationOutput::Pending) => self.suspend(&session, now),
            Err(error) => self.count_failure(error, &session, now),
        }
        self.pause_between_invocations(now);
        Finished::Recorded
    }

    /// Ends an invocation that died with its process. It does not count as a failure of the function:
    /// an operator who restarts the process five times must not fail the execution.
    /// False when there was none.
    pub fn recover(&mut self, now: Timestamp) -> bool {
        let Some(invocation) = self.record.invocation.take() else { return false };
        self.session = None;
        self.touch_record();
        let error = ErrorObject::new(RUNTIME_EXIT_ERROR, "The process ended during the invocation.");
        let completed = EventDetails::InvocationCompleted(InvocationCompletedDetails {
            start_timestamp: invocation.started_at,
            end_timestamp: now,
            request_id: invocation.id,
            error: Some(Some(error).into()),
        });
        self.emit(completed, now);
        if !self.record.status.is_terminal() {
            self.owe_invocation(None, now);
            self.pause_between_invocations(now);
        }
        true
    }

    /// Ends the execution from outside. Returns when it ended, which may have been before.
    pub fn stop(&mut self, error: Option<ErrorObject>, now: Timestamp) -> Timestamp {
        if let Some(ended_at) = self.record.ended_at {
            return ended_at;
        }
        let error = error.unwrap_or_else(|| ErrorObject {
            error_message: Some("Execution stopped by user request".into()),
            ..ErrorObject::default()
        });
        self.end(End::Stopped(error), now);
        now
    }

    /// Notes that the service changed something: an invocation is owed, or follows the running one at once.
    pub(super) fn owe_invocation(&mut self, position: Option<usize>, now: Timestamp) {
        if let Some(id) = position.map(|position| self.at(position).id.clone())
            && !self.record.updated.contains(&id)
        {
            self.record.updated.push(id);
        }
        match &mut self.session {
            Some(session) => session.reinvoke = true,
            None => self.record.owed_at = Some(self.record.owed_at.map_or(now, |owed| owed.min(now))),
        }
        self.touch_record();
    }

    fn check_output(
        &self,
        output: InvocationOutput,
        session: &Session,
        now: Timestamp,
    ) -> Result<InvocationOutput, ErrorObject> {
        if self.record.status.is_terminal() {
            return Ok(output);
        }
        match &output {
            InvocationOutput::Succeeded { result: Some(result) }
                if result.len() > limits::INVOCATION_RESULT =>
            {
                Err(ErrorObject::new(
                    "Function.ResponseSizeTooLarge",
                    format!(
                        "A result of {} bytes is larger than the limit of {} bytes for an invocation's answer; \
                         it must be checkpointed.",
                        result.len(),
                        limits::INVOCATION_RESULT
                    ),
                ))
            }
            InvocationOutput::Pending if !self.has_reason_to_suspend(session, now) => Err(ErrorObject::new(
                "InvalidInvocationOutput",
                "The invocation ended PENDING, but the execution has no pending operation.",
            )),
            _ => Ok(output),
        }
    }

    /// True when something is pending, or was until it completed during this invocation.
    fn has_reason_to_suspend(&self, session: &Session, now: Timestamp) -> bool {
        let due_now = self.timers.first().is_some_and(|(due, _)| *due <= now);
        session.reinvoke || session.settled_in_checkpoint || due_now || self.has_pending_operation()
    }

    fn has_pending_operation(&self) -> bool {
        self.operations.iter().any(|operation| {
            matches!(
                (operation.operation_type, operation.status),
                (Type::Step, Status::Pending)
                    | (Type::Wait | Type::Callback | Type::ChainedInvoke, Status::Started)
            )
        })
    }

    fn suspend(&mut self, session: &Session, now: Timestamp) {
        self.record.failures = 0;
        let settled = self.settle_due_at_suspension(now);
        if session.reinvoke || settled || !self.has_pending_operation() {
            self.owe_invocation(None, now);
        }
    }

    fn count_failure(&mut self, error: ErrorObject, session: &Session, now: Timestamp) {
        // Bounded: each such failure leaves one operation less to do.
        self.record.failures = if session.has_progressed { 1 } else { self.record.failures + 1 };
        if self.record.failures >= CONSECUTIVE_FAILURES {
            self.end(End::Failed(Some(error)), now);
        } else {
            self.record.owed_at = Some(now.after(backoff(self.record.failures)));
        }
    }
}
