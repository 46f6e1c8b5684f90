use serde::{Deserialize, Deserializer, Serialize};

use super::{ErrorObject, Operation, OperationId, Payload};

/// What one invocation is given: whose it is, the token of its first checkpoint, and the operations so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InvocationInput {
    /// Which execution.
    pub durable_execution_arn: String,
    /// The token of the first checkpoint call.
    pub checkpoint_token: String,
    /// The operations so far, the execution itself first.
    #[serde(default)]
    pub initial_execution_state: ExecutionState,
    /// Operations that the service changed since the previous invocation ended.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub updated_operation_ids: Vec<OperationId>,
}

/// A page of operations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ExecutionState {
    /// The operations, in order of creation.
    #[serde(default, deserialize_with = "null_as_default")]
    pub operations: Vec<Operation>,
    /// Where the next page begins; absent or empty on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_marker: Option<String>,
}

impl ExecutionState {
    /// The next page's marker, when there is a next page.
    #[must_use]
    pub fn marker(&self) -> Option<&str> {
        self.next_marker.as_deref().filter(|marker| !marker.is_empty())
    }
}

/// How one invocation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "Status", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "PascalCase")]
pub enum InvocationOutput {
    /// The workflow returned. An empty result says that it was checkpointed before.
    Succeeded {
        /// The serialised return value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Payload>,
    },
    /// The workflow failed. No error says that it was checkpointed before.
    Failed {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ErrorObject>,
    },
    /// The workflow waits for the service.
    Pending,
}

fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
