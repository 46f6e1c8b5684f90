//! Executions in memory: for tests, where dropping the engine and opening another one on the same store is a
//! crash of the process.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use durable_runtime::{
    protocol::{Operation, Timestamp},
    service::BoxFuture,
};
use rustc_hash::FxHashMap;

use super::{
    Counters, EndedQuery, HistoryQuery, ListQuery, Store, StoreError, StoredRecord, Write, WritePart,
};
use crate::service::{CallbackTimer, Changes, Event, ExecutionKey, ExecutionRecord, Loaded};

/// Executions in memory. Clones share them, so an engine can be dropped and another one opened on the same
/// store, as after a crash of the process.
///
/// No thread is involved and no call waits, so tokio's paused time advances on its own.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the store over: connections made before are refused from now on, like a dead process.
    pub(crate) fn connect(&self) -> MemoryConnection {
        let mut inner = lock(&self.inner);
        inner.owner += 1;
        MemoryConnection { owner: inner.owner, inner: Arc::clone(&self.inner) }
    }
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One engine's hold on a [`MemoryStore`].
pub(crate) struct MemoryConnection {
    owner: u64,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    owner: u64,
    last_key: i64,
    rows: BTreeMap<ExecutionKey, Row>,
    names: FxHashMap<(Arc<str>, Arc<str>), ExecutionKey>,
    /// By function: (due, key). Executions with a running invocation are due at the epoch.
    due: FxHashMap<Arc<str>, BTreeSet<(Timestamp, ExecutionKey)>>,
    counters: Counters,
}

#[derive(Debug)]
struct Row {
    record: ExecutionRecord,
    operations: Vec<Operation>,
    callback_timers: BTreeMap<u32, CallbackTimer>,
    events: Vec<Event>,
}

impl Inner {
    fn commit(&mut self, write: &Write) -> Result<(), StoreError> {
        if write.is_void() {
            return Err(StoreError::Void);
        }
        if write.parts.is_empty() {
            return Ok(());
        }
        let is_removed =
            |part: &WritePart| !part.changes.created && !self.rows.contains_key(&part.changes.key);
        if write.parts.iter().any(is_removed) {
            return Err(StoreError::Removed);
        }
        for part in write.parts.iter().filter(|part| part.changes.created) {
            let record = part.changes.record.as_ref().ok_or_else(|| StoreError::database("no record"))?;
            if self.names.contains_key(&(Arc::clone(&record.name), Arc::clone(&record.function))) {
                return Err(StoreError::NameTaken);
            }
        }
        for part in &write.parts {
            self.apply(&part.changes)?;
        }
        self.counters.writes += 1;
        self.counters.commits += 1;
        Ok(())
    }

    fn apply(&mut self, changes: &Changes) -> Result<(), StoreError> {
        if let Some(record) = &changes.record {
            self.store_record(record);
        }
        let row = self.rows.get_mut(&changes.key).ok_or_else(|| StoreError::database("no such execution"))?;
        for changed in &changes.operations {
            match row.operations.get_mut(changed.position as usize) {
                Some(stored) => stored.clone_from(&changed.operation),
                None => row.operations.push(changed.operation.clone()),
            }
            match changed.callback_timer {
                Some(timer) => row.callback_timers.insert(changed.position, timer),
                None => row.callback_timers.remove(&changed.position),
            };
        }
        row.events.extend(changes.events.iter().map(|new| new.event.clone()));
        Ok(())
    }

    fn store_record(&mut self, record: &ExecutionRecord) {
        let due = self.due.entry(Arc::clone(&record.function)).or_default();
        if let Some(row) = self.rows.get_mut(&record.key) {
            row.record.due_at.map(|at| due.remove(&(at, record.key)));
            row.record.clone_from(record);
        } else {
            self.names.insert((Arc::clone(&record.name), Arc::clone(&record.function)), record.key);
            let row = Row {
                record: record.clone(),
                operations: Vec::new(),
                callback_timers: BTreeMap::new(),
                events: Vec::new(),
            };
            self.rows.insert(record.key, row);
        }
        due.extend(record.due_at.map(|at| (at, record.key)));
    }
}

impl MemoryConnection {
    /// Runs `read` unless another engine has taken the store over.
    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> T,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let inner = lock(&self.inner);
        let result = if inner.owner == self.owner { Ok(read(&inner)) } else { Err(StoreError::Closed) };
        Box::pin(std::future::ready(result))
    }
}

impl Store for MemoryConnection {
    fn next_key(&self) -> ExecutionKey {
        let mut inner = lock(&self.inner);
        inner.last_key += 1;
        ExecutionKey::new(inner.last_key)
    }

    fn write(&self, write: Write) {
        let mut inner = lock(&self.inner);
        let result = if inner.owner == self.owner { inner.commit(&write) } else { Err(StoreError::Closed) };
        drop(inner);
        write.answer(result);
    }

    /// Nothing: a write is committed when it is taken.
    fn commit_here(&self) {}

    fn commit_soon(&self) {}

    fn load(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.read(|inner| {
            inner.rows.get(&key).map(|row| Loaded {
                record: row.record.clone(),
                operations: row.operations.clone(),
                callback_timers: row.callback_timers.iter().map(|(at, timer)| (*at, *timer)).collect(),
                last_event_id: row.events.last().map_or(0, |event| event.event_id),
            })
        })
    }

    fn record(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Option<StoredRecord>, StoreError>> {
        self.read(|inner| {
            inner.rows.get(&key).map(|row| StoredRecord {
                record: row.record.clone(),
                input: row.operations.first().and_then(|root| root.execution_details.clone()?.input_payload),
            })
        })
    }

    fn find(&self, name: String) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>> {
        self.read(|inner| {
            let mut found: Vec<_> = inner
                .names
                .iter()
                .filter(|((stored, _), _)| **stored == *name)
                .map(|(_, key)| *key)
                .collect();
            found.sort_unstable();
            found
        })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Vec<ExecutionRecord>, StoreError>> {
        self.read(|inner| {
            let wanted = |record: &&ExecutionRecord| {
                query.function.as_deref().is_none_or(|function| *record.function == *function)
                    && query.name.as_deref().is_none_or(|name| *record.name == *name)
                    && (query.statuses.is_empty() || query.statuses.contains(&record.status))
                    && query.started_after.is_none_or(|moment| record.started_at >= moment)
                    && query.started_before.is_none_or(|moment| record.started_at <= moment)
                    && query.beyond.is_none_or(|key| {
                        if query.oldest_first { record.key > key } else { record.key < key }
                    })
            };
            let records = inner.rows.values().map(|row| &row.record);
            if query.oldest_first {
                records.filter(wanted).take(query.limit).cloned().collect()
            } else {
                records.rev().filter(wanted).take(query.limit).cloned().collect()
            }
        })
    }

    fn operations(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Vec<Operation>, StoreError>> {
        self.read(|inner| inner.rows.get(&key).map(|row| row.operations.clone()).unwrap_or_default())
    }

    fn history(
        &self,
        key: ExecutionKey,
        query: HistoryQuery,
    ) -> BoxFuture<'_, Result<Vec<Event>, StoreError>> {
        self.read(|inner| {
            let events = inner.rows.get(&key).map(|row| row.events.as_slice()).unwrap_or_default();
            if query.backwards {
                let before = events.iter().rev().filter(|event| event.event_id < query.from);
                before.take(query.limit).cloned().collect()
            } else {
                let onwards = events.iter().filter(|event| event.event_id >= query.from);
                onwards.take(query.limit).cloned().collect()
            }
        })
    }

    fn due(
        &self,
        functions: Vec<Arc<str>>,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>> {
        self.read(|inner| {
            let of_functions = functions.iter().filter_map(|function| inner.due.get(function));
            let due = of_functions.flat_map(|due| {
                due.iter().skip_while(|(at, _)| *at == Timestamp::default()).take_while(|(at, _)| *at <= now)
            });
            due.take(limit).map(|(_, key)| *key).collect()
        })
    }

    fn next_due(&self, functions: Vec<Arc<str>>) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        self.read(|inner| {
            let of_functions = functions.iter().filter_map(|function| inner.due.get(function));
            let next = |due: &BTreeSet<(Timestamp, ExecutionKey)>| {
                due.iter().map(|(at, _)| *at).find(|at| *at != Timestamp::default())
            };
            of_functions.filter_map(next).min()
        })
    }

    fn invoking(
        &self,
        function: Arc<str>,
        after: ExecutionKey,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>> {
        self.read(|inner| {
            let due = inner.due.get(&function).into_iter().flatten();
            let invoking = due.take_while(|(at, _)| *at == Timestamp::default()).map(|(_, key)| *key);
            invoking.filter(|key| *key > after).take(limit).collect()
        })
    }

    fn ended(&self, query: EndedQuery) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>> {
        self.read(|inner| {
            let is_over = |record: &ExecutionRecord| {
                query.function.as_deref().is_none_or(|function| *record.function == *function)
                    && record.ended_at.is_some_and(|at| at < query.before)
                    && record.due_at.is_none()
            };
            let keys = inner.rows.iter().filter(|(_, row)| is_over(&row.record)).map(|(key, _)| *key);
            keys.filter(|key| *key > query.beyond).take(query.limit).collect()
        })
    }

    fn remove(&self, keys: Vec<ExecutionKey>) -> BoxFuture<'_, Result<(), StoreError>> {
        let mut inner = lock(&self.inner);
        let is_ours = inner.owner == self.owner;
        if is_ours {
            for key in keys {
                let Some(row) = inner.rows.remove(&key) else { continue };
                if let Some(due) = inner.due.get_mut(&row.record.function) {
                    row.record.due_at.map(|at| due.remove(&(at, key)));
                }
                inner.names.remove(&(row.record.name, row.record.function));
            }
        }
        Box::pin(std::future::ready(if is_ours { Ok(()) } else { Err(StoreError::Closed) }))
    }

    fn counters(&self) -> Counters {
        lock(&self.inner).counters
    }

    fn close(&self) {
        let mut inner = lock(&self.inner);
        if inner.owner == self.owner {
            inner.owner += 1;
        }
    }
}
