//! Who waits for one operation of an execution.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use durable_runtime::protocol::Operation;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use super::{Core, Engine, EngineError, Phase, start::key_of_reference};
use crate::service::{Changes, Execution, ExecutionKey};

/// The operations that somebody waits for.
#[derive(Default)]
pub(super) struct AwaitedOperations {
    waiting: Mutex<FxHashMap<ExecutionKey, Vec<Waiter>>>,
}

struct Waiter {
    name: Box<str>,
    sender: oneshot::Sender<Operation>,
}

/// An operation that ended, for those who wait for it: told once that is durable.
pub(super) struct Reached {
    key: ExecutionKey,
    operation: Operation,
}

/// The wait for one operation.
struct Awaited {
    key: ExecutionKey,
    operations: Arc<AwaitedOperations>,
    receiver: oneshot::Receiver<Operation>,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.receiver.close();
        let mut waiting = self.operations.lock();
        if let Some(waiters) = waiting.get_mut(&self.key) {
            waiters.retain(|waiter| !waiter.sender.is_closed());
            if waiters.is_empty() {
                waiting.remove(&self.key);
            }
        }
    }
}

impl AwaitedOperations {
    fn lock(&self) -> MutexGuard<'_, FxHashMap<ExecutionKey, Vec<Waiter>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(self: &Arc<Self>, key: ExecutionKey, name: &str) -> Awaited {
        let (sender, receiver) = oneshot::channel();
        self.lock().entry(key).or_default().push(Waiter { name: name.into(), sender });
        Awaited { key, operations: Arc::clone(self), receiver }
    }

    /// Adds those of the changes that somebody waits for.
    pub(super) fn collect(&self, changes: &Changes, into: &mut Vec<Reached>) {
        let waiting = self.lock();
        let Some(waiters) = waiting.get(&changes.key) else { return };
        let ended = changes.operations.iter().map(|changed| &changed.operation).filter(|operation| {
            operation.status.is_terminal() && waiters.iter().any(|waiter| is_named(operation, &waiter.name))
        });
        into.extend(ended.map(|operation| Reached { key: changes.key, operation: operation.clone() }));
    }

    pub(super) fn tell(&self, reached: Reached) {
        let mut waiting = self.lock();
        let Some(waiters) = waiting.get_mut(&reached.key) else { return };
        for waiter in waiters.extract_if(.., |waiter| is_named(&reached.operation, &waiter.name)) {
            // Who went away in the meantime hears nothing.
            let _ = waiter.sender.send(reached.operation.clone());
        }
    }
}

fn is_named(operation: &Operation, name: &str) -> bool {
    operation.name.as_deref() == Some(name)
}

impl Engine {
    /// Waits until an operation named `name` has ended, successfully or not, however long that takes: for an answer
    /// that need not wait for what the execution does afterwards. Where several have that name, it is one that has
    /// ended. `None` when the execution ended without one.
    ///
    /// What it answers is durable. A large result is a reference, see [`Payloads`].
    ///
    /// # Errors
    ///
    /// There is no such execution, the store failed, or the engine was shut down first.
    ///
    /// [`Payloads`]: durable_runtime::payloads::Payloads
    pub async fn wait_for_operation(
        &self,
        execution: &str,
        name: &str,
    ) -> Result<Option<Operation>, EngineError> {
        let key = match self.core.live_key(execution) {
            Some(key) => key,
            None => self.find(execution).await?.record.key,
        };
        let mut awaited = self.core.watchers.operations.wait(key, name);
        let end = self.core.watchers.wait_for_end(key);
        let mut is_first = true;
        let has_ended = |operation: &Operation| operation.status.is_terminal() && is_named(operation, name);
        loop {
            let notified = end.notified();
            tokio::pin!(notified);
            // From here on neither end is missed, so what is there already is looked at afterwards.
            notified.as_mut().enable();
            match self.core.peek_before_waiting(&mut is_first, key, |execution| {
                execution.record().status.is_terminal() || execution.operations().iter().any(has_ended)
            }) {
                // What is not in memory is not on record.
                Some(false) => {}
                in_memory => {
                    if in_memory.is_some() {
                        // It may have ended before it was waited for, and be on its way to the disk.
                        self.core.flush().await?;
                    }
                    if let Some(found) = self.on_record(key, execution, has_ended).await? {
                        return Ok(found);
                    }
                }
            }
            tokio::select! {
                Ok(operation) = &mut awaited.receiver => return Ok(Some(operation)),
                () = notified => {}
            }
        }
    }

    /// What the store has of the operation; `None` when the execution may still come to it.
    async fn on_record(
        &self,
        key: ExecutionKey,
        execution: &str,
        has_ended: impl Fn(&Operation) -> bool,
    ) -> Result<Option<Option<Operation>>, EngineError> {
        // First the execution: by the time that it has ended it has all of its operations.
        let stored = self.core.store.record(key).await?;
        let stored = stored.ok_or_else(|| EngineError::NotFound { reference: execution.to_owned() })?;
        let found = self.core.store.operations(key).await?.into_iter().find(has_ended);
        Ok((found.is_some() || stored.record.status.is_terminal()).then_some(found))
    }
}

impl Core {
    /// Looks at an execution in memory, for who is about to wait for a change of it and is sure to be woken. Only the
    /// first time: who was woken asks the store, which also says that the engine has stopped.
    pub(super) fn peek_before_waiting<T>(
        &self,
        is_first: &mut bool,
        key: ExecutionKey,
        look: impl FnOnce(&Execution) -> T,
    ) -> Option<T> {
        let may_look = std::mem::take(is_first) && *self.phase.borrow() != Phase::Stopped;
        may_look.then(|| self.live.peek(key, look)).flatten()
    }

    /// The key of an execution in memory, by ARN or id.
    pub(super) fn live_key(&self, reference: &str) -> Option<ExecutionKey> {
        let key = key_of_reference(reference)?;
        let is_it = self.live.peek(key, |execution| {
            let record = execution.record();
            *record.id == *reference || record.arn() == reference
        });
        is_it.filter(|is_it| *is_it).map(|_| key)
    }
}
