//! Executions in one SQLite database: bundled SQLite, write-ahead log, `synchronous = FULL`.
//!
//! One connection writes. Whatever was queued while the last transaction was being synced shares the next one, so
//! that throughput comes from sharing syncs and never from skipping them. Reads use connections of their own.

mod encode;
mod gathering;
mod lock;
mod open;
mod read;
mod rows;
mod transaction;
mod writer;

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use durable_runtime::{
    protocol::{Operation, Timestamp},
    service::BoxFuture,
};

pub use open::OpenError;

use super::{Counters, EndedQuery, HistoryQuery, ListQuery, Store, StoreError, StoredRecord, Write};
use crate::service::{Event, ExecutionKey, ExecutionRecord, Loaded};
use read::Readers;
use tokio::sync::Semaphore;
use writer::Writer;

/// Executions in one SQLite database.
pub(crate) struct SqliteStore {
    last_key: AtomicI64,
    writer: Writer,
    readers: Arc<Readers>,
    /// Bounds the threads and connections that reads take, however many executions ask at once.
    reading: Semaphore,
    /// Released by `close`, after the last write.
    lock: Mutex<Option<lock::LockFile>>,
}

impl SqliteStore {
    /// Opens the database at `path`, which is created when there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let opened = open::open(path)?;
        let writer = Writer::start(opened.connection).map_err(|source| OpenError::Thread { source })?;
        Ok(Self {
            last_key: AtomicI64::new(opened.last_key),
            writer,
            readers: Arc::new(Readers::new(path)),
            reading: Semaphore::new(read::CONNECTIONS),
            lock: Mutex::new(Some(opened.lock)),
        })
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, StoreError>> {
        let readers = Arc::clone(&self.readers);
        Box::pin(async move {
            let _turn = self.reading.acquire().await.map_err(|_| StoreError::Closed)?;
            let joined = tokio::task::spawn_blocking(move || readers.read(read)).await;
            joined.map_err(StoreError::database)?
        })
    }
}

impl Store for SqliteStore {
    fn next_key(&self) -> ExecutionKey {
        ExecutionKey::new(self.last_key.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn write(&self, write: Write) {
        self.writer.write(write);
    }

    fn commit_here(&self) {
        self.writer.commit_here();
    }

    fn commit_soon(&self) {
        self.writer.commit_soon();
    }

    fn load(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>> {
        self.read(move |connection| read::load(connection, key))
    }

    fn record(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Option<StoredRecord>, StoreError>> {
        self.read(move |connection| read::record(connection, key))
    }

    fn find(&self, name: String) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>> {
        self.read(move |connection| read::find(connection, &name))
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Vec<ExecutionRecord>, StoreError>> {
        self.read(move |connection| read::list(connection, &query))
    }

    fn operations(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Vec<Operation>, StoreError>> {
        self.read(move |connection| Ok(read::operations(connection, key)?.0))
    }

    fn history(
        &self,
        key: ExecutionKey,
        query: HistoryQuery,
    ) -> BoxFuture<'_, Result<Vec<Event>, StoreError>> {
        self.read(move |connection| read::history(connection, key, query))
    }

    fn due(
        &self,
        functions: Vec<Arc<str>>,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>> {
        self.read(move |connection| read::due(connection, &functions, now, limit))
    }

    fn next_due(&self, functions: Vec<Arc<str>>) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>> {
        self.read(move |connection| read::next_due(connection, &functions))
    }

    fn invoking(
        &self,
        function: Arc<str>,
        after: ExecutionKey,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>> {
        self.read(move |connection| read::invoking(connection, &function, after, limit))
    }

    fn ended(&self, query: EndedQuery) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>> {
        self.read(move |connection| read::ended(connection, &query))
    }

    fn remove(&self, keys: Vec<ExecutionKey>) -> BoxFuture<'_, Result<(), StoreError>> {
        let removed = self.writer.remove(keys);
        Box::pin(async move { removed.await.unwrap_or(Err(StoreError::Closed)) })
    }

    fn counters(&self) -> Counters {
        self.writer.counters()
    }

    fn close(&self) {
        self.readers.close();
        self.writer.close();
        // Last, when nothing of this process touches the database any more.
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}
