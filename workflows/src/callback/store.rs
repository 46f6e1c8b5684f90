//! The result, stored under its token before anything else happens to it.

use std::time::Duration;

use durable_runtime::prelude::*;

use super::{CallbackFault, Request, Signal, redacted, sha256};
use crate::{
    ports::{Artifacts, INLINE_LIMIT, NewCallback, Outcome, Ports, StoreError, Stored},
    retry,
};

/// How long a result is kept, and what else is known of the callbacks of a workflow that has ended.
pub const RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The signal with a large result moved to the artifact store. Callbacks name their artifact by its content,
/// so that a repeated one finds it there.
///
/// # Errors
///
/// The artifact could not be stored.
pub async fn externalised(
    artifacts: &dyn Artifacts,
    token: &str,
    signal: Signal,
) -> Result<Signal, StoreError> {
    let Signal::Outcome(Outcome::Success { result }) = signal else { return Ok(signal) };
    let bytes = serde_json::to_vec(&result)?;
    if bytes.len() <= INLINE_LIMIT {
        return Ok(Signal::Outcome(Outcome::Success { result }));
    }
    let key = format!("callbacks/{}/{}.json", sha256(token.as_bytes()), sha256(&bytes));
    let reference = artifacts.put(key, bytes).await?;
    Ok(Signal::Outcome(Outcome::Success { result: serde_json::to_value(reference)? }))
}

#[durable_step(retry = retry::CALLBACK_STORAGE)]
pub(super) async fn store_result(
    ports: &Ports,
    request: &Request,
    outcome: Outcome,
) -> Result<Stored, CallbackFault> {
    let callback = NewCallback {
        token: request.message.token.clone(),
        outcome,
        digest: request.digest.clone(),
        expires_at: request.received_at.after(RETENTION),
    };
    let stored = ports.callbacks.store(callback).await?;
    tracing::info!(
        event_type = "callback_stored",
        request_id = request.request_id,
        token = redacted(&request.message.token),
        status = request.message.signal.status(),
    );
    Ok(stored)
}
