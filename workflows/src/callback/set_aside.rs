//! What the store does not take is kept elsewhere, until a redrive brings it back.

use durable_runtime::prelude::*;

use super::{CallbackFault, Request, Signal, redacted};
use crate::{
    ports::{Ports, Unstored},
    retry,
};

/// Keeps a callback that could not be stored. Its sender is told so whether or not it is kept: one that sends it again
/// is the faster way.
#[durable_step(retry = retry::CALLBACK_SET_ASIDE, timeout = "10s")]
pub(crate) async fn set_aside(
    ports: &Ports,
    request: &Request,
    reason: &CallbackFault,
) -> Result<(), CallbackFault> {
    keep(ports, request, reason).await
}

/// The same outside of an execution, which takes a disk or a network that works.
pub(crate) async fn keep(
    ports: &Ports,
    request: &Request,
    reason: &CallbackFault,
) -> Result<(), CallbackFault> {
    let Request { request_id, received_at, message, digest } = request;
    let (token, status) = (redacted(&message.token), message.signal.status());
    // A lost heartbeat is made up for by the next one.
    let (Signal::Outcome(outcome), Some(queue)) = (&message.signal, &ports.dead_letter_queue) else {
        tracing::error!(event_type = "callback_not_kept", request_id, token, status);
        return Ok(());
    };
    let callback = Unstored {
        id: request_id.clone(),
        token: message.token.clone(),
        outcome: outcome.clone(),
        digest: digest.clone(),
        reason: reason.to_string(),
        at: *received_at,
    };
    queue.keep(callback).await.map_err(|error| {
        tracing::error!(event_type = "callback_not_kept", request_id, token, status, %error);
        CallbackFault::Storage { retryable: error.is_transient() }
    })?;
    tracing::warn!(event_type = "callback_set_aside", request_id, token, status, %reason);
    Ok(())
}
