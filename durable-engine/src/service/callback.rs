//! Everything that comes from outside by callback id.

use std::time::Duration;

use durable_runtime::protocol::{
    ErrorObject, OperationStatus as Status, OperationType, Payload, Timestamp, limits,
};
use serde::{Deserialize, Serialize};

use super::{
    CallbackId, EventDetails, Execution, ExecutionStatus, PayloadHome,
    event::{ErrorDetails, ResultDetails},
};

/// The time limits of an open callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallbackTimer {
    /// When it times out for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Seconds that may pass without a heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<u64>,
    /// When it times out without another heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_due: Option<Timestamp>,
}

impl CallbackTimer {
    pub(super) fn new(timeout: Option<u64>, heartbeat: Option<u64>, now: Timestamp) -> Self {
        let after = |seconds: u64| now.after(Duration::from_secs(seconds));
        Self {
            expires_at: timeout.map(after),
            heartbeat_seconds: heartbeat,
            heartbeat_due: heartbeat.map(after),
        }
    }

    /// When the first of its limits is reached.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.expires_at.into_iter().chain(self.heartbeat_due).min()
    }
}

/// What a callback is completed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// A result; `None` when the sender gave an empty one.
    Succeeded(Option<Payload>),
    /// An error; `None` when the sender gave none.
    Failed(Option<ErrorObject>),
}

/// Why a callback could not be completed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallbackRefusal {
    /// There is no callback with this id.
    #[error("there is no callback with this id")]
    Unknown,
    /// The callback was completed before, with this outcome.
    #[error("the callback was completed before")]
    Closed(CallbackOutcome),
    /// The callback ran out of time.
    #[error("the callback timed out: {}", .0.message())]
    TimedOut(ErrorObject),
    /// The execution that waited for the callback has ended.
    #[error("the execution that waited for the callback has ended: {0}")]
    ExecutionEnded(ExecutionStatus),
    /// The result is too large.
    #[error("a callback's result of {0} bytes is larger than the limit of {limit} bytes", limit = limits::CALLBACK_PAYLOAD)]
    TooLarge(usize),
}

impl Execution {
    /// Completes a callback. An invocation is owed for it, even when the workflow waits for something else.
    ///
    /// # Errors
    ///
    /// The callback is unknown, closed or timed out. It may have timed out just now: there can be changes
    /// to make durable all the same.
    pub fn complete_callback(
        &mut self,
        id: &CallbackId,
        outcome: CallbackOutcome,
        now: Timestamp,
    ) -> Result<(), CallbackRefusal> {
        if let CallbackOutcome::Succeeded(Some(result)) = &outcome
            && result.len() > limits::CALLBACK_PAYLOAD
        {
            return Err(CallbackRefusal::TooLarge(result.len()));
        }
        let position = self.open_callback(id, now)?;
        let operation = self.at_mut(position);
        let stored = operation.callback_details.get_or_insert_default();
        let (status, details, home) = match outcome {
            CallbackOutcome::Succeeded(result) => {
                stored.result.clone_from(&result);
                let details = EventDetails::CallbackSucceeded(ResultDetails { result: result.into() });
                (Status::Succeeded, details, u32::try_from(position).ok().map(PayloadHome::Operation))
            }
            CallbackOutcome::Failed(error) => {
                stored.error.clone_from(&error);
                let details = EventDetails::CallbackFailed(ErrorDetails { error: error.into() });
                (Status::Failed, details, None)
            }
        };
        self.close(position, status, now);
        self.emit_about(position, details, now, home);
        self.owe_invocation(Some(position), now);
        Ok(())
    }

    /// Restarts a callback's heartbeat timer, never its overall one. Leaves no event and no invocation.
    /// A callback without a heartbeat limit accepts heartbeats silently.
    ///
    /// # Errors
    ///
    /// As [`Self::complete_callback`].
    pub fn heartbeat_callback(&mut self, id: &CallbackId, now: Timestamp) -> Result<(), CallbackRefusal> {
        let position = self.open_callback(id, now)?;
        if let Some(timer) = self.callback_timers.get_mut(&position)
            && let Some(seconds) = timer.heartbeat_seconds
        {
            timer.heartbeat_due = Some(now.after(Duration::from_secs(seconds)));
            self.touch_record();
            self.store_timer_of(position);
        }
        Ok(())
    }

    /// The position of a callback that can still be completed.
    fn open_callback(&mut self, id: &CallbackId, now: Timestamp) -> Result<usize, CallbackRefusal> {
        // A limit that has passed counts, whether or not its timer was served yet.
        self.fire_due(now);
        let text = id.to_string();
        let position = id.position as usize;
        let operation = self
            .operations
            .get(position)
            .filter(|operation| operation.operation_type == OperationType::Callback)
            .ok_or(CallbackRefusal::Unknown)?;
        let details = operation.callback_details.as_ref().ok_or(CallbackRefusal::Unknown)?;
        if details.callback_id.as_deref() != Some(text.as_str()) {
            return Err(CallbackRefusal::Unknown);
        }
        match operation.status {
            Status::Succeeded => {
                Err(CallbackRefusal::Closed(CallbackOutcome::Succeeded(details.result.clone())))
            }
            Status::Failed => Err(CallbackRefusal::Closed(CallbackOutcome::Failed(details.error.clone()))),
            Status::TimedOut => Err(CallbackRefusal::TimedOut(details.error.clone().unwrap_or_default())),
            _ if self.record.status.is_terminal() => Err(CallbackRefusal::ExecutionEnded(self.record.status)),
            _ => Ok(position),
        }
    }
}
