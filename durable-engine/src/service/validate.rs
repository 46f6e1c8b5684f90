//! What a checkpoint may contain: the whole batch is judged against the state before it, and refused whole.
//!
//! Order: (0) what the API model itself bounds, (a) conflicts about the execution, (b) duplicates and parents,
//! (c) consistency, sizes, allowed actions and transitions.

use durable_runtime::protocol::{
    Operation, OperationAction as Action, OperationId, OperationStatus as Status, OperationType as Type,
    OperationUpdate, limits,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Execution, Refusal};

pub(super) fn validate(execution: &Execution, updates: &[OperationUpdate]) -> Result<(), Refusal> {
    check_model(updates)?;
    check_execution_conflicts(updates)?;
    check_duplicates_and_parents(execution, updates)?;
    for update in updates {
        let stored = execution.operation(&update.id).filter(|_| update.operation_type != Type::Execution);
        check_consistency(stored, update)?;
        check_sizes(update)?;
        check_action(stored.map(|operation| operation.status), update)?;
    }
    Ok(())
}

fn refuse(message: impl Into<String>) -> Refusal {
    Refusal::Invalid(message.into())
}

fn require(holds: bool, message: &str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(refuse(message)) }
}

fn is_identifier(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn check_model(updates: &[OperationUpdate]) -> Result<(), Refusal> {
    if updates.len() > limits::BATCH_UPDATES {
        return Err(refuse(format!(
            "A checkpoint cannot contain more than {} updates; this one has {}.",
            limits::BATCH_UPDATES,
            updates.len()
        )));
    }
    for update in updates {
        let at = |problem: String| Err(refuse(format!("Operation '{}': {problem}", update.id)));
        if !is_identifier(&update.id, 64) {
            return at("an operation id has 1 to 64 characters of [a-zA-Z0-9-_].".into());
        }
        if update.sub_type.as_ref().is_some_and(|sub_type| !is_identifier(sub_type, 32)) {
            return at("a sub type has 1 to 32 characters of [a-zA-Z0-9-_].".into());
        }
        if let Some(name) = &update.name
            && (name.is_empty()
                || name.len() > limits::OPERATION_NAME
                || !name.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
        {
            return at(format!("a name has 1 to {} printable ASCII characters.", limits::OPERATION_NAME));
        }
        let seconds = [
            ("WaitSeconds", update.wait_options.map(|options| options.wait_seconds)),
            (
                "NextAttemptDelaySeconds",
                update.step_options.map(|options| options.next_attempt_delay_seconds),
            ),
        ];
        for (member, value) in seconds {
            let bounds = limits::MIN_WAIT_SECONDS..=limits::MAX_WAIT_SECONDS;
            if value.is_some_and(|value| !bounds.contains(&value)) {
                return at(format!("{member} must be between {} and {}.", bounds.start(), bounds.end()));
            }
        }
    }
    Ok(())
}

fn check_execution_conflicts(updates: &[OperationUpdate]) -> Result<(), Refusal> {
    let mut of_execution =
        updates.iter().enumerate().filter(|(_, update)| update.operation_type == Type::Execution);
    let first = of_execution.next();
    require(of_execution.next().is_none(), "Cannot checkpoint multiple EXECUTION updates.")?;
    require(
        first.is_none_or(|(position, _)| position + 1 == updates.len()),
        "EXECUTION checkpoint must be the last update.",
    )
}

fn check_duplicates_and_parents(execution: &Execution, updates: &[OperationUpdate]) -> Result<(), Refusal> {
    // How often each id came, and whether its first update was a START of a kind that may end in the same batch.
    let mut seen: FxHashMap<&OperationId, (u32, bool)> = FxHashMap::default();
    let mut started_contexts: FxHashSet<&OperationId> = FxHashSet::default();
    for update in updates.iter().filter(|update| update.operation_type != Type::Execution) {
        let starts = update.action == Action::Start;
        let may_end = starts && matches!(update.operation_type, Type::Step | Type::Context);
        let (count, first_may_end) = seen.entry(&update.id).or_insert((0, may_end));
        *count += 1;
        require(
            *count == 1 || (*count == 2 && *first_may_end && !starts),
            "Cannot checkpoint multiple operations with the same ID.",
        )?;
        if let Some(parent_id) = &update.parent_id {
            let stored = execution.operation(parent_id);
            let exists = stored.is_some_and(|parent| parent.operation_type == Type::Context);
            require(exists || started_contexts.contains(parent_id), "Invalid parent operation id.")?;
        }
        if starts && update.operation_type == Type::Context {
            started_contexts.insert(&update.id);
        }
    }
    Ok(())
}

fn check_consistency(stored: Option<&Operation>, update: &OperationUpdate) -> Result<(), Refusal> {
    let Some(stored) = stored else { return Ok(()) };
    require(stored.operation_type == update.operation_type, "Inconsistent operation type.")?;
    require(
        update.sub_type.is_none() || update.sub_type == stored.sub_type,
        "Inconsistent operation subtype.",
    )?;
    require(update.name.is_none() || update.name == stored.name, "Inconsistent operation name.")?;
    require(
        update.parent_id.is_none() || update.parent_id == stored.parent_id,
        "Inconsistent parent operation id.",
    )
}

fn check_sizes(update: &OperationUpdate) -> Result<(), Refusal> {
    if let Some(error) = &update.error {
        let bytes = serde_json::to_string(error).map_or(0, |text| text.len());
        require(
            bytes <= limits::ERROR_OBJECT,
            &format!("Error object size must be less than {} bytes.", limits::ERROR_OBJECT),
        )?;
    }
    let longest = match update.operation_type {
        Type::Execution => limits::EXECUTION_PAYLOAD,
        _ => limits::OPERATION_PAYLOAD,
    };
    match &update.payload {
        Some(payload) if payload.len() > longest => Err(refuse(format!(
            "Operation '{}': payload of {} bytes is larger than the limit of {longest} bytes.",
            update.id,
            payload.len()
        ))),
        _ => Ok(()),
    }
}

/// `status` is `None` when the operation does not exist yet.
fn check_action(status: Option<Status>, update: &OperationUpdate) -> Result<(), Refusal> {
    let open = matches!(status, None | Some(Status::Started));
    match (update.operation_type, update.action) {
        (Type::Unknown, _) => return Err(refuse("Unknown operation type.")),
        (Type::Step, Action::Start) => {
            require(matches!(status, None | Some(Status::Ready)), "Invalid current STEP state to start.")?;
        }
        (Type::Step, Action::Succeed | Action::Fail) => {
            require(open || status == Some(Status::Ready), "Invalid current STEP state to close.")?;
        }
        (Type::Step, Action::Retry) => {
            require(open || status == Some(Status::Ready), "Invalid current STEP state to re-attempt.")?;
            require(update.step_options.is_some(), "Invalid StepOptions for the given action.")?;
            require(
                update.error.is_none() || update.payload.is_none(),
                "Cannot provide both error and payload to RETRY a STEP.",
            )?;
        }
        (Type::Context, Action::Start) => {
            require(status.is_none(), "Cannot start a CONTEXT that already exist.")?;
        }
        (Type::Context, Action::Succeed | Action::Fail) => {
            require(open, "Invalid current CONTEXT state to close.")?;
        }
        (Type::Wait, Action::Start) => {
            require(status.is_none(), "Cannot start a WAIT that already exist.")?;
            require(update.wait_options.is_some(), "Invalid WaitOptions for the given action.")?;
        }
        (Type::Wait, Action::Cancel) => require(
            status == Some(Status::Started),
            "Cannot cancel a WAIT that does not exist or has already completed.",
        )?,
        (Type::Callback, Action::Start) => {
            require(status.is_none(), "Cannot start a CALLBACK that already exist.")?;
        }
        (Type::ChainedInvoke, Action::Start) => {
            require(status.is_none(), "Cannot start an INVOKE that already exist.")?;
            require(
                update
                    .chained_invoke_options
                    .as_ref()
                    .is_some_and(|options| !options.function_name.is_empty()),
                "Invalid ChainedInvokeOptions for the given action.",
            )?;
        }
        (Type::ChainedInvoke, Action::Cancel) => require(
            status == Some(Status::Started),
            "Cannot cancel an INVOKE that does not exist or has already completed.",
        )?,
        (Type::Execution, Action::Succeed | Action::Fail) => {}
        _ => return Err(refuse("Invalid action for the given operation type.")),
    }
    match update.action {
        Action::Fail => require(update.payload.is_none(), "Cannot provide a Payload for FAIL action."),
        Action::Succeed => require(update.error.is_none(), "Cannot provide an Error for SUCCEED action."),
        _ => Ok(()),
    }
}
