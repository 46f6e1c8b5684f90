use std::{fmt, ops::Deref};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{ErrorObject, Payload, Timestamp};

/// The sub types that AWS's SDKs send. The service takes any text; Python's SDK accepts only these.
pub mod sub_type {
    /// A step.
    pub const STEP: &str = "Step";
    /// A polled condition; its operation is a `STEP`.
    pub const WAIT_FOR_CONDITION: &str = "WaitForCondition";
    /// A wait.
    pub const WAIT: &str = "Wait";
    /// A callback.
    pub const CALLBACK: &str = "Callback";
    /// A chained invoke.
    pub const CHAINED_INVOKE: &str = "ChainedInvoke";
    /// A child execution or named block; its operation is a `CONTEXT`.
    pub const RUN_IN_CHILD_CONTEXT: &str = "RunInChildContext";
    /// A callback with its submitter; its operation is a `CONTEXT`.
    pub const WAIT_FOR_CALLBACK: &str = "WaitForCallback";
    /// A map as a whole.
    pub const MAP: &str = "Map";
    /// One item of a map.
    pub const MAP_ITERATION: &str = "MapIteration";
    /// A group of branches as a whole.
    pub const PARALLEL: &str = "Parallel";
    /// One branch.
    pub const PARALLEL_BRANCH: &str = "ParallelBranch";
}

/// The identity of one operation within its execution: 1 to 64 characters of `[a-zA-Z0-9-_]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(CompactString);

impl OperationId {
    /// Takes the text as it is; the service checks charset and length.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(CompactString::new(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for OperationId {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The kinds of operation that the service knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationType {
    /// The execution itself, always the first operation.
    Execution,
    /// A group of operations with a result of its own.
    Context,
    /// User code that ran and was recorded.
    Step,
    /// Completed by time.
    Wait,
    /// Completed from outside, by its id.
    Callback,
    /// Another function.
    ChainedInvoke,
    /// A kind from a newer version of the service.
    #[serde(other)]
    Unknown,
}

impl fmt::Display for OperationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Execution => "execution",
            Self::Context => "context",
            Self::Step => "step",
            Self::Wait => "wait",
            Self::Callback => "callback",
            Self::ChainedInvoke => "invoke",
            Self::Unknown => "unknown operation",
        })
    }
}

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationStatus {
    /// Begun, not ended.
    Started,
    /// A step between attempts.
    Pending,
    /// A step whose next attempt is due.
    Ready,
    /// Ended well.
    Succeeded,
    /// Ended in an error.
    Failed,
    /// Cancelled by the workflow.
    Cancelled,
    /// Ended by its time limit.
    TimedOut,
    /// Ended by a stop from outside.
    Stopped,
    /// A status from a newer version of the service.
    #[serde(other)]
    Unknown,
}

impl OperationStatus {
    /// True when nothing can change this operation any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::TimedOut | Self::Stopped)
    }
}

/// One operation of an execution, as the service keeps it.
///
/// The details of the rarer kinds are boxed: a history may hold tens of thousands of these, most of them steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Operation {
    /// Its identity.
    pub id: OperationId,
    /// The `CONTEXT` it belongs to; absent at top level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<OperationId>,
    /// Its name, exactly as its START carried it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<CompactString>,
    /// Its kind.
    #[serde(rename = "Type")]
    pub operation_type: OperationType,
    /// Its sub type, see [`sub_type`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<CompactString>,
    /// Where it stands.
    pub status: OperationStatus,
    /// When it began.
    #[serde(default)]
    pub start_timestamp: Timestamp,
    /// When it ended; absent until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_timestamp: Option<Timestamp>,
    /// For `EXECUTION`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_details: Option<ExecutionDetails>,
    /// For `CONTEXT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_details: Option<ContextDetails>,
    /// For `STEP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_details: Option<StepDetails>,
    /// For `WAIT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_details: Option<WaitDetails>,
    /// For `CALLBACK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_details: Option<Box<CallbackDetails>>,
    /// For `CHAINED_INVOKE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chained_invoke_details: Option<Box<ChainedInvokeDetails>>,
}

impl Operation {
    /// An operation that just started, without details.
    #[must_use]
    pub fn started(id: OperationId, operation_type: OperationType, at: Timestamp) -> Self {
        Self {
            id,
            parent_id: None,
            name: None,
            operation_type,
            sub_type: None,
            status: OperationStatus::Started,
            start_timestamp: at,
            end_timestamp: None,
            execution_details: None,
            context_details: None,
            step_details: None,
            wait_details: None,
            callback_details: None,
            chained_invoke_details: None,
        }
    }
}

/// What belongs to an `EXECUTION` operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionDetails {
    /// The input, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_payload: Option<Payload>,
}

/// What belongs to a `CONTEXT` operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContextDetails {
    /// True when the result is rebuilt from the children, which then stay in the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_children: Option<bool>,
    /// The result, once succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// The error, once failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

/// What belongs to a `STEP` operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepDetails {
    /// Finished attempts: 0 while the first one runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When the next attempt is due, while `PENDING`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_timestamp: Option<Timestamp>,
    /// The result once succeeded; a condition's state between its polls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// The error of the last failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

/// What belongs to a `WAIT` operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitDetails {
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_end_timestamp: Option<Timestamp>,
}

/// What belongs to a `CALLBACK` operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackDetails {
    /// The id by which it is completed from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_id: Option<String>,
    /// What was sent, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// The sender's error, or the service's on a timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

/// What belongs to a `CHAINED_INVOKE` operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeDetails {
    /// What the function returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Payload>,
    /// How the function failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}
