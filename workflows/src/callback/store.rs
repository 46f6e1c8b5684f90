//! The result, stored under its token before anything else happens to it.

use std::{io, time::Duration};

use durable_runtime::prelude::*;
use serde_json::Value;

use super::{CallbackFault, Request, Signal, redacted, sha256};
use crate::{
    ports::{Artifacts, INLINE_LIMIT, NewCallback, Outcome, Ports, StoreError, Stored},
    retry,
};

/// How long a result is kept, and what else is known of the callbacks of a workflow that has ended.
pub const RETENTION: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// The result of a signal, when it is too large to travel through checkpoints and records.
#[must_use]
pub fn large_result(signal: &Signal) -> Option<&Value> {
    let Signal::Outcome(Outcome::Success { result }) = signal else { return None };
    (json_length(result) > INLINE_LIMIT).then_some(result)
}

/// Stores a result as an artifact, and says where. Callbacks name their artifact by its content, so that a repeated
/// one finds it there.
///
/// # Errors
///
/// The artifact could not be stored.
pub async fn stored_as_artifact(
    artifacts: &dyn Artifacts,
    token: &str,
    result: &Value,
) -> Result<Value, StoreError> {
    let bytes = serde_json::to_vec(result)?;
    let key = format!("callbacks/{}/{}.json", sha256(token.as_bytes()), sha256(&bytes));
    let reference = artifacts.put(key, bytes).await?;
    Ok(serde_json::to_value(reference)?)
}

/// The length of a value as JSON, without its text.
fn json_length(value: &Value) -> usize {
    struct Length(usize);
    impl io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value).map_or(usize::MAX, |()| length.0)
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
    let stored = ports.callbacks.store(callback).await;
    let stored = stored.map_err(|error| CallbackFault::storage(ports, &request.request_id, &error))?;
    tracing::info!(
        event_type = "callback_stored",
        request_id = request.request_id,
        token = redacted(&request.message.token),
        status = request.message.signal.status(),
    );
    Ok(stored)
}
