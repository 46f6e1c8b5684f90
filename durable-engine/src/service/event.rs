//! History events, member for member as `GetDurableExecutionHistory` answers them.
//!
//! The one difference to the REST API: timestamps serialise as [`Timestamp`] does (milliseconds); whoever
//! speaks REST converts them to seconds.

use compact_str::CompactString;
use durable_runtime::protocol::{ErrorObject, OperationId, Payload, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One entry of an execution's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// What happened.
    pub event_type: EventType,
    /// The operation's sub type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<CompactString>,
    /// 1, 2, 3 … in order of emission, without gaps.
    pub event_id: u64,
    /// The operation it is about; absent for `InvocationCompleted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<OperationId>,
    /// The operation's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<CompactString>,
    /// When it happened.
    pub event_timestamp: Timestamp,
    /// The context that the operation belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<OperationId>,
    /// The `<EventType>Details` member, present even when it is empty.
    #[serde(flatten)]
    pub details: EventDetails,
}

impl Event {
    /// The event without its payload and errors, as for `IncludeExecutionData=false`.
    #[must_use]
    pub fn without_data(mut self) -> Self {
        if let Some(payload) = self.details.payload_mut() {
            *payload = EventPayload { payload: None, truncated: true };
        }
        if let Some(error) = self.details.error_mut() {
            *error = EventError { payload: None, truncated: true };
        }
        self
    }
}

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident($details:ty) = $key:literal,)*) => {
        /// The kinds of history event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EventType {
            $($(#[$doc])* $name,)*
        }

        impl EventType {
            /// The name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }

        /// What an event says beyond its envelope.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum EventDetails {
            $($(#[$doc])* #[serde(rename = $key)] $name($details),)*
        }

        impl EventDetails {
            /// The kind of event that these details belong to.
            #[must_use]
            pub const fn event_type(&self) -> EventType {
                match self {
                    $(Self::$name(_) => EventType::$name,)*
                }
            }
        }
    };
}

events! {
    /// The execution was created; always event 1.
    ExecutionStarted(ExecutionStartedDetails) = "ExecutionStartedDetails",
    /// The execution ended with a result.
    ExecutionSucceeded(ResultDetails) = "ExecutionSucceededDetails",
    /// The execution ended with an error.
    ExecutionFailed(ErrorDetails) = "ExecutionFailedDetails",
    /// The execution was stopped from outside.
    ExecutionStopped(ErrorDetails) = "ExecutionStoppedDetails",
    /// The execution ran out of time.
    ExecutionTimedOut(OptionalErrorDetails) = "ExecutionTimedOutDetails",
    /// The execution is not invoked any more until it is resumed.
    ExecutionPaused(ExecutionPausedDetails) = "ExecutionPausedDetails",
    /// The execution goes on after a pause.
    ExecutionResumed(ExecutionResumedDetails) = "ExecutionResumedDetails",
    /// A context began.
    ContextStarted(EmptyDetails) = "ContextStartedDetails",
    /// A context ended with a result.
    ContextSucceeded(ResultDetails) = "ContextSucceededDetails",
    /// A context ended with an error.
    ContextFailed(ErrorDetails) = "ContextFailedDetails",
    /// A step's attempt began.
    StepStarted(EmptyDetails) = "StepStartedDetails",
    /// A step's attempt ended well: with its result, or with a condition's next state.
    StepSucceeded(StepSucceededDetails) = "StepSucceededDetails",
    /// A step's attempt ended with an error.
    StepFailed(StepFailedDetails) = "StepFailedDetails",
    /// A wait began.
    WaitStarted(WaitStartedDetails) = "WaitStartedDetails",
    /// A wait's time has come.
    WaitSucceeded(WaitSucceededDetails) = "WaitSucceededDetails",
    /// A wait was cancelled.
    WaitCancelled(OptionalErrorDetails) = "WaitCancelledDetails",
    /// A callback was created.
    CallbackStarted(CallbackStartedDetails) = "CallbackStartedDetails",
    /// A callback was completed with a result.
    CallbackSucceeded(ResultDetails) = "CallbackSucceededDetails",
    /// A callback was completed with an error.
    CallbackFailed(ErrorDetails) = "CallbackFailedDetails",
    /// A callback ran out of time or missed a heartbeat.
    CallbackTimedOut(ErrorDetails) = "CallbackTimedOutDetails",
    /// Another function was started.
    ChainedInvokeStarted(ChainedInvokeStartedDetails) = "ChainedInvokeStartedDetails",
    /// The other function returned.
    ChainedInvokeSucceeded(ResultDetails) = "ChainedInvokeSucceededDetails",
    /// The other function failed.
    ChainedInvokeFailed(ErrorDetails) = "ChainedInvokeFailedDetails",
    /// The other function's execution was stopped.
    ChainedInvokeStopped(ErrorDetails) = "ChainedInvokeStoppedDetails",
    /// The other function's execution ran out of time.
    ChainedInvokeTimedOut(ErrorDetails) = "ChainedInvokeTimedOutDetails",
    /// An invocation ended, one way or another.
    InvocationCompleted(InvocationCompletedDetails) = "InvocationCompletedDetails",
}

impl EventDetails {
    /// The result, input or reason inside, if this kind of event has one.
    pub(crate) fn payload_mut(&mut self) -> Option<&mut EventPayload> {
        match self {
            Self::ExecutionStarted(details) => Some(&mut details.input),
            Self::ExecutionSucceeded(details)
            | Self::ContextSucceeded(details)
            | Self::CallbackSucceeded(details)
            | Self::ChainedInvokeSucceeded(details) => Some(&mut details.result),
            Self::StepSucceeded(details) => Some(&mut details.result),
            Self::ChainedInvokeStarted(details) => details.input.as_mut(),
            Self::ExecutionPaused(details) => details.reason.as_mut(),
            Self::ExecutionResumed(details) => details.reason.as_mut(),
            _ => None,
        }
    }

    /// The error inside, if this kind of event has one.
    pub(crate) fn error_mut(&mut self) -> Option<&mut EventError> {
        match self {
            Self::ExecutionFailed(details)
            | Self::ExecutionStopped(details)
            | Self::ContextFailed(details)
            | Self::CallbackFailed(details)
            | Self::CallbackTimedOut(details)
            | Self::ChainedInvokeFailed(details)
            | Self::ChainedInvokeStopped(details)
            | Self::ChainedInvokeTimedOut(details) => Some(&mut details.error),
            Self::StepFailed(details) => Some(&mut details.error),
            Self::ExecutionTimedOut(details) | Self::WaitCancelled(details) => details.error.as_mut(),
            Self::InvocationCompleted(details) => details.error.as_mut(),
            _ => None,
        }
    }
}

/// A payload as history wraps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventPayload {
    /// The payload; absent when there was none, or when it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// True when the payload was left out.
    pub truncated: bool,
}

impl From<Option<Payload>> for EventPayload {
    fn from(payload: Option<Payload>) -> Self {
        Self { payload, truncated: false }
    }
}

/// An error as history wraps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventError {
    /// The error; absent when there was none, or when it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<ErrorObject>,
    /// True when the error was left out.
    pub truncated: bool,
}

impl From<Option<ErrorObject>> for EventError {
    fn from(payload: Option<ErrorObject>) -> Self {
        Self { payload, truncated: false }
    }
}

/// Details without members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmptyDetails {}

/// Details with a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResultDetails {
    /// The result.
    pub result: EventPayload,
}

/// Details with an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorDetails {
    /// The error.
    pub error: EventError,
}

/// Details that may have an error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OptionalErrorDetails {
    /// The error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<EventError>,
}

/// Details of `ExecutionStarted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionStartedDetails {
    /// The execution's input.
    pub input: EventPayload,
    /// Seconds that the execution may take.
    pub execution_timeout: u64,
}

/// Details of `ExecutionPaused`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionPausedDetails {
    /// When the pause was asked for.
    pub pause_request_timestamp: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EventPayload>,
    /// Whether the execution's time limit stands still.
    pub execution_timeout_paused: bool,
}

/// Details of `ExecutionResumed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionResumedDetails {
    /// When this was asked for.
    pub resume_request_timestamp: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<EventPayload>,
}

/// Which attempt ended, and when the next one begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RetryDetails {
    /// The attempt that ended, counted from 1.
    pub current_attempt: u32,
    /// Seconds until the next one; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_delay_seconds: Option<u64>,
}

/// Details of `StepSucceeded`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepSucceededDetails {
    /// The result, or a condition's state.
    pub result: EventPayload,
    /// The attempt.
    pub retry_details: RetryDetails,
}

/// Details of `StepFailed`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepFailedDetails {
    /// The error.
    pub error: EventError,
    /// The attempt.
    pub retry_details: RetryDetails,
}

/// Details of `WaitStarted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitStartedDetails {
    /// Seconds.
    pub duration: u64,
    /// When it ends.
    pub scheduled_end_timestamp: Timestamp,
}

/// Details of `WaitSucceeded`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitSucceededDetails {
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
}

/// Details of `CallbackStarted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackStartedDetails {
    /// The id by which it is completed.
    pub callback_id: String,
    /// Seconds that may pass without a heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout: Option<u64>,
    /// Seconds until it times out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
}

/// Details of `ChainedInvokeStarted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeStartedDetails {
    /// The function, as the workflow named it.
    pub function_name: String,
    /// The tenant it runs for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Its input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<EventPayload>,
    /// The version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executed_version: Option<String>,
    /// The execution that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durable_execution_arn: Option<String>,
}

/// Details of `InvocationCompleted`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationCompletedDetails {
    /// When the invocation began.
    pub start_timestamp: Timestamp,
    /// When it ended.
    pub end_timestamp: Timestamp,
    /// Its id.
    pub request_id: Uuid,
    /// Why it ended without an outcome, or the error that the workflow returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<EventError>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(details: EventDetails) -> Event {
        Event {
            event_type: details.event_type(),
            sub_type: None,
            event_id: 3,
            id: Some(OperationId::new("op")),
            name: None,
            event_timestamp: Timestamp::from_millis(5),
            parent_id: None,
            details,
        }
    }

    #[test]
    fn empty_details_are_present_on_the_wire_and_events_read_back() {
        let started = event(EventDetails::StepStarted(EmptyDetails {}));
        let text = serde_json::to_string(&started).unwrap();
        assert_eq!(
            text,
            r#"{"EventType":"StepStarted","EventId":3,"Id":"op","EventTimestamp":5,"StepStartedDetails":{}}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), started);
    }

    #[test]
    fn a_required_wrapper_without_a_value_is_still_sent() {
        let text =
            serde_json::to_string(&event(EventDetails::CallbackSucceeded(ResultDetails::default()))).unwrap();
        assert!(text.ends_with(r#""CallbackSucceededDetails":{"Result":{"Truncated":false}}}"#), "{text}");
    }

    #[test]
    fn data_can_be_left_out() {
        let details = ResultDetails { result: Some(Payload::from("secret")).into() };
        let bare = event(EventDetails::ContextSucceeded(details)).without_data();
        let text = serde_json::to_string(&bare).unwrap();
        assert!(text.ends_with(r#"{"Result":{"Truncated":true}}}"#), "{text}");
    }
}
