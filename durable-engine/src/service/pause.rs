//! Pausing an execution and letting it go on.
//!
//! A paused execution is not invoked. Everything else goes on: waits and retries end when they are due, callbacks are
//! completed or run out of time, other functions' executions end. What they would have led to is owed, and happens
//! when the execution goes on.
//!
//! The service says that a pause during an invocation takes effect at "its next checkpoint", and not what becomes of the
//! invocation. Here it is the next checkpoint **that leaves no attempt of a step under way**: an attempt that is cut off
//! runs again, or fails its step if that is at most once, and a pause must not do harm. That checkpoint is applied like
//! any other one. Then the invocation is told that its token is no longer valid, on which every SDK gives up the
//! invocation, runs no more of the function's code, and leaves the execution as it is; what it still answers does not
//! count. An invocation that ends before such a checkpoint pauses the execution at its end.

use std::time::Duration;

use durable_runtime::protocol::{Operation, OperationStatus, OperationType, Payload, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    EventDetails, Execution, ExecutionStatus,
    event::{EventPayload, ExecutionPausedDetails, ExecutionResumedDetails},
};

/// How long a request is known by its client token.
const REPEATED_WITHIN: Duration = Duration::from_secs(15 * 60);

/// How to pause an execution. The default: no reason, and the time limit stands still.
#[derive(Clone, Debug, Default)]
pub struct PauseOptions {
    /// Why, for the history. At most 1,024 characters.
    pub reason: Option<String>,
    /// The time limit of the execution goes on while it is paused. Otherwise it is extended by the time that the
    /// execution spends paused, to 366 days after its start at most.
    pub time_limit_goes_on: bool,
    /// Makes a repetition of the request, within 15 minutes, a success without effect.
    pub client_token: Option<String>,
}

/// How to let an execution go on.
#[derive(Clone, Debug, Default)]
pub struct ResumeOptions {
    /// Why, for the history. At most 1,024 characters.
    pub reason: Option<String>,
    /// Makes a repetition of the request, within 15 minutes, a success without effect.
    pub client_token: Option<String>,
}

/// A pause that was asked for and is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the time limit of the execution goes on.
    pub time_limit_goes_on: bool,
    /// When it took effect; absent as long as it waits for the running invocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// All that is stored of an execution's pauses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pauses {
    /// The one that is not over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current: Option<Pause>,
    /// By how much those that are over extend the time limit.
    pub extension_millis: u64,
    /// The last request to pause that was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused_by: Option<Request>,
    /// The last request to go on that was carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    resumed_by: Option<Request>,
}

impl Pauses {
    /// True while the time limit stands still.
    #[must_use]
    pub fn hold_time_limit(&self) -> bool {
        self.current.as_ref().is_some_and(|pause| pause.since.is_some() && !pause.time_limit_goes_on)
    }
}

/// A request that is not to be carried out twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Request {
    client_token: String,
    at: Timestamp,
}

impl Request {
    fn new(client_token: Option<String>, at: Timestamp) -> Option<Self> {
        client_token.map(|client_token| Self { client_token, at })
    }

    fn is_repeated_by(&self, client_token: Option<&str>, now: Timestamp) -> bool {
        client_token == Some(self.client_token.as_str()) && now <= self.at.after(REPEATED_WITHIN)
    }
}

/// The execution has a status in which it can't be paused, or can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the execution is {0}")]
pub struct WrongStatus(pub ExecutionStatus);

impl Execution {
    /// Pauses the execution: at once, or during its running invocation.
    ///
    /// # Errors
    ///
    /// It is paused already, or has ended. There can be changes to make durable all the same: it may have run out of
    /// time just now.
    pub fn pause(&mut self, options: PauseOptions, now: Timestamp) -> Result<(), WrongStatus> {
        self.fire_due(now);
        let PauseOptions { reason, time_limit_goes_on, client_token } = options;
        let last = self.record.pauses.paused_by.as_ref();
        if last.is_some_and(|last| last.is_repeated_by(client_token.as_deref(), now)) {
            return Ok(());
        }
        if self.record.status != ExecutionStatus::Running {
            return Err(WrongStatus(self.record.status));
        }
        self.record.status = ExecutionStatus::Pausing;
        self.record.pauses.paused_by = Request::new(client_token, now);
        self.record.pauses.current =
            Some(Pause { requested_at: now, reason, time_limit_goes_on, since: None });
        self.touch_record();
        if self.record.invocation.is_none() {
            self.take_pause(now);
        }
        Ok(())
    }

    /// Lets the execution go on: what was owed to it happens. A pause that has not taken effect yet is forgotten, and
    /// leaves nothing in the history.
    ///
    /// # Errors
    ///
    /// It is not paused. There can be changes to make durable all the same, see [`Self::pause`].
    pub fn resume(&mut self, options: ResumeOptions, now: Timestamp) -> Result<(), WrongStatus> {
        self.fire_due(now);
        let ResumeOptions { reason, client_token } = options;
        let last = self.record.pauses.resumed_by.as_ref();
        if last.is_some_and(|last| last.is_repeated_by(client_token.as_deref(), now)) {
            return Ok(());
        }
        if self.record.status.is_terminal() || self.record.status == ExecutionStatus::Running {
            return Err(WrongStatus(self.record.status));
        }
        let ended = self.record.pauses.current.take();
        self.record.status = ExecutionStatus::Running;
        self.record.pauses.resumed_by = Request::new(client_token, now);
        self.touch_record();
        let Some((since, pause)) = ended.and_then(|pause| Some((pause.since?, pause))) else { return Ok(()) };
        if !pause.time_limit_goes_on {
            let held = u64::try_from(now.since(since).as_millis()).unwrap_or(u64::MAX);
            let extension = &mut self.record.pauses.extension_millis;
            *extension = extension.saturating_add(held);
        }
        let details = ExecutionResumedDetails { resume_request_timestamp: now, reason: wrapped(reason) };
        self.emit_about(0, EventDetails::ExecutionResumed(details), now, None);
        Ok(())
    }

    /// Pauses the execution now if it is about to be, and no invocation runs any more.
    pub(super) fn pause_between_invocations(&mut self, now: Timestamp) {
        if self.record.status == ExecutionStatus::Pausing {
            self.take_pause(now);
        }
    }

    /// Pauses the execution now if it is about to be, and the running invocation can be cut off without harm. True when
    /// it was: its token is no longer valid.
    pub(super) fn pause_at_checkpoint(&mut self, now: Timestamp) -> bool {
        let is_attempt = |operation: &Operation| {
            operation.operation_type == OperationType::Step && operation.status == OperationStatus::Started
        };
        if self.record.status != ExecutionStatus::Pausing || self.operations.iter().any(is_attempt) {
            return false;
        }
        self.take_pause(now);
        if let Some(session) = &mut self.session {
            session.interrupted = true;
        }
        true
    }

    fn take_pause(&mut self, now: Timestamp) {
        let Some(pause) = &mut self.record.pauses.current else { return };
        pause.since = Some(now);
        let details = ExecutionPausedDetails {
            pause_request_timestamp: pause.requested_at,
            reason: wrapped(pause.reason.clone()),
            execution_timeout_paused: !pause.time_limit_goes_on,
        };
        self.record.status = ExecutionStatus::Paused;
        self.touch_record();
        self.emit_about(0, EventDetails::ExecutionPaused(details), now, None);
    }
}

fn wrapped(reason: Option<String>) -> Option<EventPayload> {
    reason.map(|reason| Some(Payload::from(reason)).into())
}
