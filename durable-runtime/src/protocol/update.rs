use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{ErrorObject, OperationId, OperationType, Payload};

/// What an update does to its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum OperationAction {
    /// Begin it, or its next attempt.
    Start,
    /// End it with a result.
    Succeed,
    /// End it with an error.
    Fail,
    /// End this attempt and schedule another one.
    Retry,
    /// Give it up.
    Cancel,
}

/// One change that an invocation asks the service to make durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OperationUpdate {
    /// Which operation.
    pub id: OperationId,
    /// The `CONTEXT` it belongs to; absent at top level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<OperationId>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<CompactString>,
    /// Its kind.
    #[serde(rename = "Type")]
    pub operation_type: OperationType,
    /// Its sub type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<CompactString>,
    /// What to do.
    pub action: OperationAction,
    /// A result, an input, or a condition's state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
    /// An error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
    /// For `CONTEXT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_options: Option<ContextOptions>,
    /// For `STEP` with RETRY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_options: Option<StepOptions>,
    /// For `WAIT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_options: Option<WaitOptions>,
    /// For `CALLBACK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_options: Option<CallbackOptions>,
    /// For `CHAINED_INVOKE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chained_invoke_options: Option<ChainedInvokeOptions>,
}

impl OperationUpdate {
    /// An update without anything optional.
    #[must_use]
    pub fn new(id: OperationId, operation_type: OperationType, action: OperationAction) -> Self {
        Self {
            id,
            parent_id: None,
            name: None,
            operation_type,
            sub_type: None,
            action,
            payload: None,
            error: None,
            context_options: None,
            step_options: None,
            wait_options: None,
            callback_options: None,
            chained_invoke_options: None,
        }
    }
}

/// Options of a `CONTEXT` update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContextOptions {
    /// Keep the children in the state: the result is rebuilt from them.
    #[serde(default)]
    pub replay_children: bool,
}

/// Options of a `STEP` update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StepOptions {
    /// Seconds until the next attempt, 1 to 31,622,400.
    #[serde(default)]
    pub next_attempt_delay_seconds: u64,
}

/// Options of a `WAIT` update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WaitOptions {
    /// Seconds, 1 to 31,622,400.
    pub wait_seconds: u64,
}

/// Options of a `CALLBACK` update. Zero and absent both mean "no limit".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallbackOptions {
    /// Seconds until it times out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Seconds without a heartbeat until it times out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout_seconds: Option<u64>,
}

/// Options of a `CHAINED_INVOKE` update.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ChainedInvokeOptions {
    /// Which function: name, `name:qualifier` or ARN.
    pub function_name: String,
    /// The tenant it runs for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// The trace it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x_amzn_trace_id: Option<String>,
}
