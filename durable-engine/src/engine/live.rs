//! The executions that are in memory: those somebody is working with, and no others.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, Weak,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use durable_runtime::protocol::Timestamp;
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, OnceCell};

use crate::{
    service::{Execution, ExecutionKey},
    store::{Guard, Store, StoreError},
};

/// An execution in memory. Lives as long as somebody holds it: the running invocation, a call in progress, or
/// a write on its way to the store. After that the store has everything.
pub(crate) struct Slot {
    key: ExecutionKey,
    state: OnceCell<Mutex<Execution>>,
    /// A write failed: this state is ahead of the store and must not be used any more.
    void: AtomicBool,
    /// A time limit inside came nearer than `armed`.
    rearm: Notify,
    /// The time limit for which the running invocation's host sleeps, in milliseconds.
    armed: AtomicI64,
    owner: Weak<LiveExecutions>,
}

impl Slot {
    pub(crate) fn key(&self) -> ExecutionKey {
        self.key
    }

    /// The execution, unless it is void.
    pub(crate) fn lock(&self) -> Option<MutexGuard<'_, Execution>> {
        let state = self.state.get()?.lock().unwrap_or_else(PoisonError::into_inner);
        (!self.is_void()).then_some(state)
    }

    /// The next time limit inside, for which the caller is about to sleep.
    pub(crate) fn arm(&self) -> Option<Timestamp> {
        let execution = self.lock()?;
        let due = execution.next_due();
        // While it is locked, so that a nearer limit that is being added finds this one to compare with.
        self.armed.store(due.map_or(i64::MAX, Timestamp::as_millis), Ordering::Release);
        due
    }

    /// Wakes who sleeps for a time limit if there is an earlier one now. Called with the execution locked.
    pub(crate) fn rearm(&self, due: Option<Timestamp>) {
        if due.is_some_and(|due| due.as_millis() < self.armed.load(Ordering::Acquire)) {
            self.rearm.notify_one();
        }
    }

    pub(crate) async fn rearmed(&self) {
        self.rearm.notified().await;
    }
}

impl Guard for Slot {
    fn is_void(&self) -> bool {
        self.void.load(Ordering::Acquire)
    }

    fn void(&self) {
        self.void.store(true, Ordering::Release);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(owner) = self.owner.upgrade() {
            let mut slots = owner.slots.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.get(&self.key).is_some_and(|slot| slot.strong_count() == 0) {
                slots.remove(&self.key);
            }
        }
    }
}

/// The executions in memory.
#[derive(Default)]
pub(crate) struct LiveExecutions {
    slots: Mutex<FxHashMap<ExecutionKey, Weak<Slot>>>,
}

impl LiveExecutions {
    /// Takes a new execution in.
    pub(crate) fn insert(self: &Arc<Self>, execution: Execution) -> Arc<Slot> {
        let key = execution.record().key;
        let slot = Arc::new(Slot {
            key,
            state: OnceCell::new_with(Some(Mutex::new(execution))),
            void: AtomicBool::new(false),
            rearm: Notify::new(),
            armed: AtomicI64::new(i64::MIN),
            owner: Arc::downgrade(self),
        });
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::downgrade(&slot));
        slot
    }

    /// The execution with this key, read from the store when it is not in memory; `None` when there is none.
    pub(crate) async fn get(
        self: &Arc<Self>,
        key: ExecutionKey,
        store: &dyn Store,
    ) -> Result<Option<Arc<Slot>>, StoreError> {
        enum Missing {
            NoSuchExecution,
            Store(StoreError),
        }
        let slot = self.slot(key);
        let load = async || match store.load(key).await {
            Ok(Some(loaded)) => Ok(Mutex::new(Execution::load(loaded))),
            Ok(None) => Err(Missing::NoSuchExecution),
            Err(error) => Err(Missing::Store(error)),
        };
        match slot.state.get_or_try_init(load).await.map(drop) {
            Ok(()) => Ok(Some(slot)),
            Err(Missing::NoSuchExecution) => Ok(None),
            Err(Missing::Store(error)) => Err(error),
        }
    }

    /// Looks at an execution if it is in memory.
    pub(crate) fn peek<T>(&self, key: ExecutionKey, look: impl FnOnce(&Execution) -> T) -> Option<T> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.get(&key).and_then(Weak::upgrade);
        // Before the slot goes, for that may be the end of it, and the end of a slot locks the map.
        drop(slots);
        slot?.lock().map(|execution| look(&execution))
    }

    /// How many executions are in memory.
    pub(crate) fn len(&self) -> usize {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn slot(self: &Arc<Self>, key: ExecutionKey) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slots.get(&key).and_then(Weak::upgrade);
        if let Some(slot) = known.as_ref().filter(|slot| !slot.is_void()) {
            return Arc::clone(slot); // `known` goes after `slots`, and is not the last one
        }
        let slot = Arc::new(Slot {
            key,
            state: OnceCell::new(),
            void: AtomicBool::new(false),
            rearm: Notify::new(),
            armed: AtomicI64::new(i64::MIN),
            owner: Arc::downgrade(self),
        });
        slots.insert(key, Arc::downgrade(&slot));
        // Before the void one goes, for that may be the end of it, and the end of a slot locks the map.
        drop(slots);
        drop(known);
        slot
    }
}
