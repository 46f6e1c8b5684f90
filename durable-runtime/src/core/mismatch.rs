//! The words for a history that the code no longer matches.

use crate::protocol::{ErrorObject, Operation, OperationType, OperationUpdate};

/// The error type of every divergence; the name is the official SDKs'.
pub(crate) const ERROR_TYPE: &str = "NonDeterministicExecutionError";

/// The history holds an operation that the code did not reach.
pub(crate) fn unreached(recorded: &Operation, asked: Option<&OperationUpdate>) -> ErrorObject {
    let asked = match asked {
        Some(update) => format!(
            "the code asked for {} instead",
            describe(update.operation_type, update.name.as_deref(), &update.id)
        ),
        None => "the code never reached it".to_owned(),
    };
    ErrorObject::new(
        ERROR_TYPE,
        format!(
            "[D001] replay mismatch: the history has {}, {asked}; restore the operation, \
             or let running executions finish before this change is deployed",
            describe(recorded.operation_type, recorded.name.as_deref(), &recorded.id),
        ),
    )
}

/// The history holds another kind of operation under this identity.
pub(crate) fn different(
    recorded: &Operation,
    operation_type: OperationType,
    sub_type: &str,
    name: Option<&str>,
) -> ErrorObject {
    ErrorObject::new(
        ERROR_TYPE,
        format!(
            "[D002] replay mismatch: the history has {} (sub type {}), the code asked for {} (sub type {sub_type}); \
             restore the operation, or let running executions finish before this change is deployed",
            describe(recorded.operation_type, recorded.name.as_deref(), &recorded.id),
            recorded.sub_type.as_deref().unwrap_or("none"),
            describe(operation_type, name, &recorded.id),
        ),
    )
}

/// `step `charge` (id 5f…)`: kind, name and id, as every message of ours names an operation.
pub(crate) fn describe(operation_type: OperationType, name: Option<&str>, id: &str) -> String {
    match name {
        Some(name) => format!("{operation_type} `{name}` (id {id})"),
        None => format!("{operation_type} (id {id})"),
    }
}
