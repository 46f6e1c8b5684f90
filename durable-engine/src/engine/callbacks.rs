//! Completing callbacks from outside.

use std::sync::Arc;

use durable_runtime::protocol::{ErrorObject, Payload, Timestamp};

use super::{CallbackError, Engine, EngineError, Slot};
use crate::service::{CallbackId, CallbackOutcome, CallbackRefusal, Execution};

/// Keeps the execution of a callback in memory.
#[must_use = "the execution leaves the memory with this"]
pub struct PrefetchedCallback {
    _slot: Option<Arc<Slot>>,
}

impl std::fmt::Debug for PrefetchedCallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrefetchedCallback").finish_non_exhaustive()
    }
}

impl Engine {
    /// Completes a callback with a result; `None` for an empty one. The text is kept as it is. Durable when
    /// this returns.
    ///
    /// # Errors
    ///
    /// See [`CallbackError`].
    pub async fn succeed_callback(&self, id: &str, result: Option<Payload>) -> Result<(), CallbackError> {
        let outcome = CallbackOutcome::Succeeded(result);
        self.with_callback(id, |execution, id, now| execution.complete_callback(id, outcome, now)).await
    }

    /// Completes a callback with an error; `None` when there is nothing to say. Durable when this returns.
    ///
    /// # Errors
    ///
    /// See [`CallbackError`].
    pub async fn fail_callback(&self, id: &str, error: Option<ErrorObject>) -> Result<(), CallbackError> {
        let outcome = CallbackOutcome::Failed(error);
        self.with_callback(id, |execution, id, now| execution.complete_callback(id, outcome, now)).await
    }

    /// Says that whoever works on a callback is alive: its heartbeat limit starts anew, its overall limit does
    /// not. Harmless for a callback without a heartbeat limit.
    ///
    /// # Errors
    ///
    /// See [`CallbackError`].
    pub async fn heartbeat_callback(&self, id: &str) -> Result<(), CallbackError> {
        self.with_callback(id, Execution::heartbeat_callback).await
    }

    /// Reads the execution that a callback belongs to into memory, where it stays until the answer is dropped: its
    /// completion, which is certain to follow, need not wait for the disk to be read then. Changes nothing, and promises
    /// nothing: an id that is none of ours is found out at the completion.
    pub async fn prefetch_callback(&self, id: &str) -> PrefetchedCallback {
        let slot = match CallbackId::parse(id) {
            Some(id) => self.core.live.get(id.execution, &*self.core.store).await.ok().flatten(),
            None => None,
        };
        PrefetchedCallback { _slot: slot }
    }

    async fn with_callback(
        &self,
        text: &str,
        act: impl FnOnce(&mut Execution, &CallbackId, Timestamp) -> Result<(), CallbackRefusal>,
    ) -> Result<(), CallbackError> {
        let unknown = || CallbackError::Unknown { id: text.to_owned() };
        let id = CallbackId::parse(text).ok_or_else(unknown)?;
        let core = Arc::clone(&self.core);
        let changed = core.change(id.execution, |execution, now, _| act(execution, &id, now)).await;
        let (result, commit) = changed.map_err(EngineError::from)?.ok_or_else(unknown)?;
        // Even a refusal can have changed something: the callback may have timed out just now.
        core.settled(commit).await.map_err(EngineError::from)?;
        result.map_err(|refusal| CallbackError::new(text, refusal))
    }
}
