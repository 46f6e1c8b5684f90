//! Who watches: live progress, and those who wait for an execution's end.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use compact_str::CompactString;
use durable_runtime::protocol::{OperationId, Timestamp};
use rustc_hash::FxHashMap;
use tokio::sync::{Notify, broadcast};

use super::awaited::AwaitedOperations;
use crate::service::{EventType, ExecutionKey, ExecutionRecord, NewEvent};

/// Events kept for a subscriber that is slow; an even slower one is told how many it missed.
const BACKLOG: usize = 1024;

/// One event of an execution's history, just made durable.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Which execution.
    pub arn: Arc<str>,
    /// The function it runs.
    pub function: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The event's number.
    pub event_id: u64,
    /// What happened.
    pub event_type: EventType,
    /// When.
    pub at: Timestamp,
    /// The operation it is about.
    pub operation: Option<OperationId>,
    /// That operation's name.
    pub operation_name: Option<CompactString>,
}

pub(super) fn describe(record: &ExecutionRecord, events: &[NewEvent], into: &mut Vec<Progress>) {
    let arn: Arc<str> = record.arn().into();
    into.extend(events.iter().map(|new| Progress {
        arn: Arc::clone(&arn),
        function: Arc::clone(&record.function),
        name: Arc::clone(&record.name),
        event_id: new.event.event_id,
        event_type: new.event.event_type,
        at: new.event.event_timestamp,
        operation: new.event.id.clone(),
        operation_name: new.event.name.clone(),
    }));
}

/// Who watches.
pub(crate) struct Watchers {
    /// `None` once the engine stopped, so that subscribers see the end of the stream.
    progress: Mutex<Option<broadcast::Sender<Progress>>>,
    ends: Arc<Ends>,
    pub(super) operations: Arc<AwaitedOperations>,
}

impl Default for Watchers {
    fn default() -> Self {
        Self {
            progress: Mutex::new(Some(broadcast::Sender::new(BACKLOG))),
            ends: Arc::default(),
            operations: Arc::default(),
        }
    }
}

#[derive(Default)]
struct Ends {
    waiting: Mutex<FxHashMap<ExecutionKey, Weak<EndWaiter>>>,
}

/// Woken at the end of one execution, and when the engine stops.
pub(super) struct EndWaiter {
    key: ExecutionKey,
    notify: Notify,
    ends: Arc<Ends>,
}

impl EndWaiter {
    pub(super) fn notified(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for EndWaiter {
    fn drop(&mut self) {
        let mut waiting = self.ends.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.get(&self.key).is_some_and(|waiter| waiter.strong_count() == 0) {
            waiting.remove(&self.key);
        }
    }
}

impl Watchers {
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Progress> {
        match &*self.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(sender) => sender.subscribe(),
            None => broadcast::Sender::new(1).subscribe(),
        }
    }

    pub(super) fn is_watched(&self) -> bool {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.as_ref().is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub(super) fn publish(&self, progress: Vec<Progress>) {
        if progress.is_empty() {
            return;
        }
        if let Some(sender) = &*self.progress.lock().unwrap_or_else(PoisonError::into_inner) {
            for one in progress {
                // Nobody listens any more: fine.
                let _ = sender.send(one);
            }
        }
    }

    pub(super) fn wait_for_end(&self, key: ExecutionKey) -> Arc<EndWaiter> {
        let mut waiting = self.ends.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiter) = waiting.get(&key).and_then(Weak::upgrade) {
            return waiter;
        }
        let waiter = Arc::new(EndWaiter { key, notify: Notify::new(), ends: Arc::clone(&self.ends) });
        waiting.insert(key, Arc::downgrade(&waiter));
        waiter
    }

    pub(super) fn ended(&self, key: ExecutionKey) {
        let waiting = self.ends.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiter = waiting.get(&key).and_then(Weak::upgrade);
        // The end of a waiter locks the map.
        drop(waiting);
        if let Some(waiter) = waiter {
            waiter.notify.notify_waiters();
        }
    }

    pub(super) fn close(&self) {
        drop(self.progress.lock().unwrap_or_else(PoisonError::into_inner).take());
        let waiting: Vec<_> = {
            let waiting = self.ends.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.values().filter_map(Weak::upgrade).collect()
        };
        for waiter in waiting {
            waiter.notify.notify_waiters();
        }
    }
}
