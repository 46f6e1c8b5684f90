//! What is done to an execution from outside: stopping, pausing, resuming and deleting it.

use durable_runtime::protocol::{ErrorObject, Timestamp};

use super::{Engine, EngineError};
use crate::{
    service::{Execution, PauseOptions, ResumeOptions, WrongStatus},
    store::StoredRecord,
};

/// Characters of the reason for a pause, or for its end.
pub(super) const LONGEST_REASON: usize = 1024;

impl Engine {
    /// Ends an execution from outside, with `error` or with a default one. No invocation begins any more; the
    /// answer of one that is running is ignored. Returns when the execution ended, which may have been before.
    ///
    /// # Errors
    ///
    /// There is no such execution, or the store failed.
    pub async fn stop(&self, execution: &str, error: Option<ErrorObject>) -> Result<Timestamp, EngineError> {
        let found = self.find(execution).await?;
        self.control(&found, |execution, now| execution.stop(error, now)).await
    }

    /// Pauses an execution: it is not invoked until it is resumed. Waits, callbacks and everything else goes on
    /// meanwhile, and what it would have led to happens afterwards. Durable when this returns.
    ///
    /// A running invocation goes on to its next checkpoint that leaves no attempt of a step under way, or to its end;
    /// until then the execution is [`Pausing`](crate::ExecutionStatus::Pausing).
    ///
    /// # Errors
    ///
    /// There is no such execution, it is paused already or has ended, the reason is too long, or the store failed.
    pub async fn pause(&self, execution: &str, options: PauseOptions) -> Result<(), EngineError> {
        check_reason(options.reason.as_deref())?;
        let found = self.find(execution).await?;
        let paused = self.control(&found, |execution, now| execution.pause(options, now)).await?;
        paused.map_err(|wrong| refused(&found, wrong, "only one that is RUNNING can be paused"))
    }

    /// Lets a paused execution go on, or keeps one from being paused that is about to be. Durable when this returns.
    ///
    /// # Errors
    ///
    /// There is no such execution, it is not paused, the reason is too long, or the store failed.
    pub async fn resume(&self, execution: &str, options: ResumeOptions) -> Result<(), EngineError> {
        check_reason(options.reason.as_deref())?;
        let found = self.find(execution).await?;
        let resumed = self.control(&found, |execution, now| execution.resume(options, now)).await?;
        resumed.map_err(|wrong| refused(&found, wrong, "only one that is PAUSED or PAUSING can be resumed"))
    }

    /// Removes an execution that has ended, with its history. Its name is free again, its ARN leads nowhere. Returns
    /// when this was accepted; all is done by then.
    ///
    /// If another execution waits for this one, it is told first how it ended. Large payloads that were kept in a store
    /// of their own stay there.
    ///
    /// # Errors
    ///
    /// There is no such execution, it has not ended, or the store failed.
    pub async fn delete(&self, execution: &str) -> Result<Timestamp, EngineError> {
        let found = self.find(execution).await?;
        let accepted_at = self.core.clock.now();
        let key = found.record.key;
        if !found.record.status.is_terminal() {
            let needed = "only one that has ended can be deleted; stop it first";
            return Err(refused(&found, WrongStatus(found.record.status), needed));
        }
        self.core.wake(key).await?.wait().await?;
        self.core.store.remove(vec![key]).await?;
        Ok(accepted_at)
    }

    async fn control<T>(
        &self,
        found: &StoredRecord,
        act: impl FnOnce(&mut Execution, Timestamp) -> T,
    ) -> Result<T, EngineError> {
        match self.core.change(found.record.key, |execution, now, _| act(execution, now)).await? {
            Some((result, commit)) => {
                self.core.settled(commit).await?;
                Ok(result)
            }
            None => Err(EngineError::NotFound { reference: found.record.arn() }),
        }
    }
}

fn check_reason(reason: Option<&str>) -> Result<(), EngineError> {
    let characters = reason.map_or(0, |reason| reason.chars().count());
    if characters > LONGEST_REASON {
        return Err(EngineError::ReasonTooLong { characters });
    }
    Ok(())
}

fn refused(found: &StoredRecord, WrongStatus(status): WrongStatus, needed: &'static str) -> EngineError {
    EngineError::WrongStatus { arn: found.record.arn(), status, needed }
}
