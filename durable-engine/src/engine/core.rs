//! What all parts of an engine share, and the one way in which an execution is changed: lock it, apply the
//! rules, queue the write while it is locked, answer after the commit.

use std::{
    hash::Hasher,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use durable_runtime::{
    environment::{Clock, Options},
    protocol::{ErrorObject, InvocationOutput, Timestamp},
    workflow::SharedWorkflow,
};
use rustc_hash::FxHashMap;
use siphasher::sip::SipHasher13;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use uuid::Uuid;

use super::{
    batch::{Batch, Commit},
    live::{LiveExecutions, Slot},
    progress::Watchers,
};
use crate::{
    scheduler::Bell,
    service::{ChildOutcome, Execution, ExecutionKey, PageLimit, ParentLink},
    store::{Store, StoreError, Write},
};

/// Where the engine is in its own life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Invocations begin and run.
    Running,
    /// No invocation begins any more; the running ones may end.
    Draining,
    /// Nothing runs any more.
    Stopped,
}

/// What all parts of an engine share.
pub(crate) struct Core {
    pub(crate) store: Box<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) driver_options: Options,
    pub(crate) page_limit: PageLimit,
    pub(crate) default_timeout_seconds: u64,
    /// In the ARNs of new executions.
    pub(crate) region: Arc<str>,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) live: Arc<LiveExecutions>,
    pub(crate) watchers: Watchers,
    /// By function name, in order of registration.
    pub(crate) workflows: RwLock<FxHashMap<Arc<str>, SharedWorkflow>>,
    pub(crate) slots: Arc<Semaphore>,
    slots_total: usize,
    pub(crate) runtime: tokio::runtime::Handle,
    /// The runtime has another thread to go on with while one of its own syncs the disk.
    pub(super) may_block: bool,
    nonces: Nonces,
    /// Apart from the others, so that how often executions are invoked changes no ids.
    secrets: Nonces,
}

/// Numbers that nobody can guess, without asking the system for each one.
struct Nonces {
    key: (u64, u64),
    count: AtomicU64,
}

impl Nonces {
    fn new(seed: Option<u64>, purpose: u64) -> Self {
        let key = seed.map_or_else(|| Uuid::new_v4().as_u64_pair(), |seed| (seed, purpose));
        Self { key, count: AtomicU64::new(0) }
    }

    fn next(&self) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write_u64(self.count.fetch_add(1, Ordering::Relaxed));
        hasher.finish()
    }
}

/// The right to run one invocation.
pub(crate) struct Permit {
    permit: Option<OwnedSemaphorePermit>,
    slots: Arc<Semaphore>,
    bell: Arc<Bell>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let was_full = self.slots.available_permits() == 0;
        drop(self.permit.take());
        if was_full {
            self.bell.ring();
        }
    }
}

/// Everything that a [`Core`] is made of.
pub(crate) struct CoreParts {
    pub(crate) store: Box<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) driver_options: Options,
    pub(crate) page_limit: PageLimit,
    pub(crate) default_timeout_seconds: u64,
    pub(crate) region: Arc<str>,
    pub(crate) max_concurrent_invocations: usize,
    pub(crate) id_seed: Option<u64>,
}

impl Core {
    pub(crate) fn new(parts: CoreParts) -> Self {
        // The largest number of slots that can be taken at once, to know that all of them are free.
        let slots_total = parts.max_concurrent_invocations.clamp(1, u32::MAX as usize >> 3);
        let runtime = tokio::runtime::Handle::current();
        Self {
            store: parts.store,
            clock: parts.clock,
            driver_options: parts.driver_options,
            page_limit: parts.page_limit,
            default_timeout_seconds: parts.default_timeout_seconds,
            region: parts.region,
            phase: watch::Sender::new(Phase::Running),
            bell: Arc::new(Bell::new()),
            live: Arc::new(LiveExecutions::default()),
            watchers: Watchers::default(),
            workflows: RwLock::default(),
            slots: Arc::new(Semaphore::new(slots_total)),
            slots_total,
            may_block: runtime.metrics().num_workers() > 1,
            runtime,
            nonces: Nonces::new(parts.id_seed, 0),
            secrets: Nonces::new(parts.id_seed, 1),
        }
    }

    pub(crate) fn nonce(&self) -> u64 {
        self.nonces.next()
    }

    /// What an invocation's checkpoint tokens are made with.
    pub(super) fn secret(&self) -> u128 {
        (u128::from(self.secrets.next()) << 64) | u128::from(self.secrets.next())
    }

    pub(crate) fn slots_free(&self) -> usize {
        self.slots.available_permits()
    }

    pub(crate) fn invocations_running(&self) -> usize {
        self.slots_total.saturating_sub(self.slots.available_permits())
    }

    /// The names of the registered functions.
    pub(crate) fn functions(&self) -> Vec<Arc<str>> {
        let workflows = self.workflows.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = workflows.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn workflow(&self, function: &str) -> Option<(Arc<str>, SharedWorkflow)> {
        let workflows = self.workflows.read().unwrap_or_else(PoisonError::into_inner);
        workflows.get_key_value(function).map(|(name, workflow)| (Arc::clone(name), Arc::clone(workflow)))
    }

    pub(super) fn permit(&self) -> Option<Permit> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Permit { permit: Some(permit), slots: Arc::clone(&self.slots), bell: Arc::clone(&self.bell) })
    }

    /// Changes an execution by `act` and queues the write of what changed; `None` when there is no such
    /// execution. The result must not be told to anybody before the commit.
    pub(crate) async fn change<T>(
        self: &Arc<Self>,
        key: ExecutionKey,
        act: impl FnOnce(&mut Execution, Timestamp, &mut Batch<'_>) -> T,
    ) -> Result<Option<(T, Commit)>, StoreError> {
        loop {
            let Some(slot) = self.live.get(key, &*self.store).await? else { return Ok(None) };
            // Void: a write failed in the meantime. The next round reads the execution again.
            let Some(mut execution) = slot.lock() else { continue };
            return Ok(Some(self.change_locked(&slot, &mut execution, act)));
        }
    }

    /// As [`Self::change`], for an execution that is locked already.
    pub(crate) fn change_locked<T>(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        execution: &mut Execution,
        act: impl FnOnce(&mut Execution, Timestamp, &mut Batch<'_>) -> T,
    ) -> (T, Commit) {
        let mut batch = Batch::new(self);
        let result = act(execution, batch.now, &mut batch);
        batch.add(slot, execution);
        (result, batch.submit())
    }

    /// Looks at an execution that is due: fires its timers, begins its invocation, tells its parent.
    pub(crate) async fn wake(self: &Arc<Self>, key: ExecutionKey) -> Result<Commit, StoreError> {
        let woken = self.change(key, |execution, now, _| {
            execution.fire_due(now);
            execution.owed_to_parent()
        });
        match woken.await? {
            Some((Some((parent, outcome)), commit)) => {
                // The child's own end is durable before its parent hears of it.
                commit.wait().await?;
                self.tell_parent(key, parent, outcome).await
            }
            Some((None, commit)) => Ok(commit),
            None => Ok(Commit::nothing()),
        }
    }

    /// Completes the parent's operation and notes that in the child, in one transaction.
    async fn tell_parent(
        self: &Arc<Self>,
        child: ExecutionKey,
        parent: ParentLink,
        outcome: ChildOutcome,
    ) -> Result<Commit, StoreError> {
        let Some(child) = self.live.get(child, &*self.store).await? else { return Ok(Commit::nothing()) };
        let settle = |batch: &mut Batch<'_>| {
            if let Some(mut execution) = child.lock() {
                execution.settle_parent();
                batch.add(&child, &mut execution);
            }
        };
        let told = self.change(parent.execution, |execution, now, batch| {
            execution.complete_invoke(&parent.operation, outcome, now);
            // Locks are always taken from the parent to the child.
            settle(batch);
        });
        if let Some(((), commit)) = told.await? {
            return Ok(commit);
        }
        let mut batch = Batch::new(self);
        settle(&mut batch);
        Ok(batch.submit())
    }

    /// Fires what may fire while an invocation runs: time limits of callbacks and of the execution.
    pub(crate) fn fire_time_limits(self: &Arc<Self>, slot: &Arc<Slot>) {
        if let Some(mut execution) = slot.lock() {
            let ((), _commit) =
                self.change_locked(slot, &mut execution, |execution, now, _| execution.fire_due(now));
        }
    }

    /// Records how an invocation ended. Answers after the commit. `permit` is used for the next invocation when
    /// that one is owed at once.
    pub(crate) async fn finish_invocation(
        self: &Arc<Self>,
        key: ExecutionKey,
        id: Uuid,
        ended: Result<InvocationOutput, ErrorObject>,
        permit: &mut Option<Permit>,
    ) -> Result<(), StoreError> {
        let finished = self.change(key, |execution, now, batch| {
            batch.permit = permit.take();
            execution.finish_invocation(id, ended, now);
        });
        if let Some(((), commit)) = finished.await? {
            commit.wait().await?;
        }
        Ok(())
    }

    /// Ends the invocations that died with an earlier process, for one function.
    pub(crate) async fn recover(self: &Arc<Self>, function: Arc<str>) -> Result<(), StoreError> {
        const CHUNK: usize = 256;
        let mut after = ExecutionKey::new(0);
        loop {
            let keys = self.store.invoking(Arc::clone(&function), after, CHUNK).await?;
            let Some(last) = keys.last().copied() else { return Ok(()) };
            after = last;
            let mut commits = Vec::with_capacity(keys.len());
            for key in keys {
                let recovered = self.change(key, |execution, now, _| {
                    // Those that began in this process are no business of the recovery.
                    if !execution.is_hosted() {
                        execution.recover(now);
                    }
                });
                commits.extend(recovered.await?.map(|((), commit)| commit.begun()));
            }
            for commit in commits {
                commit.wait().await?;
            }
        }
    }

    /// Ready once no invocation runs. None may begin any more.
    pub(crate) async fn all_invocations_ended(&self) {
        let all = u32::try_from(self.slots_total).unwrap_or(u32::MAX);
        // Fails only when the semaphore is closed, which nobody does.
        let _ = self.slots.acquire_many(all).await;
    }

    /// Ready once every write queued so far is committed.
    pub(crate) async fn flush(self: &Arc<Self>) -> Result<(), StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.store.write(Write {
            running: 0,
            by_waiter: false,
            parts: Vec::new(),
            done: Box::new(move |result| drop(sender.send(result))),
        });
        receiver.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits for `commit`; when that had nothing to write, for whatever led to the state that was seen.
    pub(crate) async fn settled(self: &Arc<Self>, commit: Commit) -> Result<(), StoreError> {
        if commit.wait().await? { Ok(()) } else { self.flush().await }
    }

    /// Ends everything at once, as a crash would. What was acknowledged is durable.
    pub(crate) fn halt(&self) {
        self.phase.send_replace(Phase::Stopped);
        self.store.close();
        self.watchers.close();
    }
}
