//! How operations with a result are settled: the update that records an outcome, checked against the limits.

use crate::{
    codec::{Outcome, fits},
    core::outbox::{Sequence, Urgency},
    protocol::{ContextOptions, ErrorObject, Operation, OperationAction, OperationStatus, Payload, limits},
    scope::{Cx, Identity},
};

/// Queues the update that ends a step in `outcome`.
///
/// # Errors
///
/// The payload is over the service's limit; the error names the operation.
pub(crate) fn settle_step(cx: &Cx, identity: &Identity, outcome: &Outcome) -> Result<Sequence, ErrorObject> {
    check_error(identity, outcome)?;
    if let Outcome::Succeeded(Some(payload)) = outcome
        && !cx.fits_operation(payload)
    {
        return Err(ErrorObject::new(
            "PayloadTooLarge",
            format!(
                "the result of {} takes {} bytes, and the service stores at most {}; \
                 return a reference to where the data is kept, or give the host a store for large payloads \
                 (`Options::payloads`)",
                identity.describe(),
                payload.len(),
                limits::OPERATION_PAYLOAD
            ),
        ));
    }
    Ok(push_outcome(cx, identity, outcome, None))
}

/// Refuses an error whose data would not fit its record: a replay could not restore it, so that the first run
/// must not see it either.
///
/// # Errors
///
/// It doesn't fit; the error names the operation.
pub(crate) fn check_error(identity: &Identity, outcome: &Outcome) -> Result<(), ErrorObject> {
    let Outcome::Failed(error) = outcome else { return Ok(()) };
    let Some(data) = &error.error_data else { return Ok(()) };
    if fits(error) || fit_error(error.clone()).error_data.is_some() {
        return Ok(());
    }
    Err(ErrorObject::new(
        "PayloadTooLarge",
        format!(
            "the error of {} takes {} bytes, and the service stores at most {}; \
             return a reference to where the details are kept",
            identity.describe(),
            data.len(),
            limits::ERROR_OBJECT
        ),
    ))
}

/// Queues the update that ends a context. A result that is too large for a record is replaced by `summary`,
/// and replays rebuild it from the children. With `keep_children` they do so in any case.
pub(crate) fn settle_context(
    cx: &Cx,
    identity: &Identity,
    outcome: &Outcome,
    keep_children: bool,
    summary: impl FnOnce() -> Payload,
) -> Sequence {
    match outcome {
        Outcome::Succeeded(Some(payload)) if payload.len() > limits::CHILD_RESULT => {
            let summary = Outcome::Succeeded(Some(summary()));
            push_outcome(cx, identity, &summary, Some(ContextOptions { replay_children: true }))
        }
        Outcome::Succeeded(_) if keep_children => {
            push_outcome(cx, identity, outcome, Some(ContextOptions { replay_children: true }))
        }
        _ => push_outcome(cx, identity, outcome, None),
    }
}

fn push_outcome(
    cx: &Cx,
    identity: &Identity,
    outcome: &Outcome,
    context_options: Option<ContextOptions>,
) -> Sequence {
    let mut update = match outcome {
        Outcome::Succeeded(payload) => {
            let mut update = identity.update(OperationAction::Succeed);
            update.payload.clone_from(payload);
            update
        }
        Outcome::Failed(error) => {
            let mut update = identity.update(OperationAction::Fail);
            update.error = Some(fit_error(error.clone()));
            update
        }
    };
    update.context_options = context_options;
    cx.push(update, Urgency::Urgent)
}

/// Shortens what a person reads until the error fits the service's limit; the data is kept or dropped whole.
pub(crate) fn fit_error(mut error: ErrorObject) -> ErrorObject {
    if fits(&error) {
        return error;
    }
    error.stack_trace = None;
    if !fits(&error)
        && let Some(message) = &mut error.error_message
    {
        let keep = message.floor_char_boundary(limits::ERROR_OBJECT / 8);
        message.truncate(keep);
        message.push('…');
    }
    if !fits(&error) {
        error.error_data = None;
    }
    error
}

/// The recorded outcome of a step or context, once it is terminal.
pub(crate) fn outcome_of(operation: &Operation) -> Option<Outcome> {
    let (result, error) = if let Some(step) = &operation.step_details {
        (&step.result, &step.error)
    } else if let Some(context) = &operation.context_details {
        (&context.result, &context.error)
    } else {
        (&None, &None)
    };
    match operation.status {
        OperationStatus::Succeeded => Some(Outcome::Succeeded(result.clone())),
        status if status.is_terminal() => Some(Outcome::Failed(
            error.clone().unwrap_or_else(|| ErrorObject::new(format!("{status:?}"), "it did not succeed")),
        )),
        _ => None,
    }
}
