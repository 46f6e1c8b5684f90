//! Where executions are kept.
//!
//! A [`Store`] makes [`Changes`] durable and reads them back. It knows nothing of the service's rules. Two of
//! them exist: [`MemoryStore`] for tests and [`SqliteStore`] for everything else; one suite runs against both.

mod memory;
mod sqlite;

use std::{fmt, sync::Arc};

use durable_runtime::{
    protocol::{Operation, Payload, Timestamp},
    service::BoxFuture,
};

pub use memory::MemoryStore;
pub use sqlite::OpenError;
pub(crate) use sqlite::SqliteStore;

use crate::service::{Changes, Event, ExecutionKey, ExecutionRecord, ExecutionStatus, Loaded};

/// Keeps executions. Reads see exactly what was committed.
pub(crate) trait Store: Send + Sync + 'static {
    /// The number of the next execution: larger than all before.
    fn next_key(&self) -> ExecutionKey;

    /// Takes a write to be made durable. Writes are committed in the order of these calls, each one whole or
    /// not at all, and answered after the commit through [`Write::done`].
    fn write(&self, write: Write);

    /// Commits what was taken, at best on this thread. For who waits for a write that is [`Write::by_waiter`].
    fn commit_here(&self);

    /// Has what was taken committed on another thread. For who no longer waits for such a write.
    fn commit_soon(&self);

    /// An execution with everything that the rules need.
    fn load(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Option<Loaded>, StoreError>>;

    /// An execution as a whole, with its input.
    fn record(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Option<StoredRecord>, StoreError>>;

    /// The executions with this name: one for each function at most.
    fn find(&self, name: String) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>>;

    /// Executions, newest first.
    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Vec<ExecutionRecord>, StoreError>>;

    /// Operations in order of creation.
    fn operations(&self, key: ExecutionKey) -> BoxFuture<'_, Result<Vec<Operation>, StoreError>>;

    /// Events of one execution.
    fn history(
        &self,
        key: ExecutionKey,
        query: HistoryQuery,
    ) -> BoxFuture<'_, Result<Vec<Event>, StoreError>>;

    /// The executions of these functions that are due, the longest due first within each function.
    /// Those with a running invocation are not among them.
    fn due(
        &self,
        functions: Vec<Arc<str>>,
        now: Timestamp,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>>;

    /// When the next execution of these functions is due.
    fn next_due(&self, functions: Vec<Arc<str>>) -> BoxFuture<'_, Result<Option<Timestamp>, StoreError>>;

    /// The executions of this function that have a running invocation on record, from number `after` on.
    fn invoking(
        &self,
        function: Arc<str>,
        after: ExecutionKey,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>>;

    /// Ended executions that nobody waits for any more, in order of creation.
    fn ended(&self, query: EndedQuery) -> BoxFuture<'_, Result<Vec<ExecutionKey>, StoreError>>;

    /// Removes executions with everything that belongs to them; their numbers are not given again. Answers after the
    /// commit.
    fn remove(&self, keys: Vec<ExecutionKey>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What was done so far.
    fn counters(&self) -> Counters;

    /// Answers everything that was taken, then refuses everything. Blocks until then.
    fn close(&self);
}

/// Changes to make durable together.
pub(crate) struct Write {
    /// How many invocations run: each of them may send a write soon.
    pub(crate) running: usize,
    /// Its commit begins when its sender calls [`Store::commit_here`] or [`Store::commit_soon`], which it does at once.
    pub(crate) by_waiter: bool,
    pub(crate) parts: Vec<WritePart>,
    /// Called once, after the commit or its failure, on any thread. Must not block and must not lock an
    /// execution.
    pub(crate) done: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

/// One execution's share of a [`Write`].
pub(crate) struct WritePart {
    pub(crate) changes: Changes,
    pub(crate) guard: Arc<dyn Guard>,
}

/// The state in memory that a write came from. Held until the write is answered, so that the execution is not
/// read from the store while changes to it are on their way.
pub(crate) trait Guard: Send + Sync {
    /// True when an earlier write of the same state failed: the state is ahead of the store, and nothing that
    /// came from it may be committed any more.
    fn is_void(&self) -> bool;
    /// Notes that a write of this state failed.
    fn void(&self);
}

impl Write {
    pub(crate) fn is_void(&self) -> bool {
        self.parts.iter().any(|part| part.guard.is_void())
    }

    /// Answers, after voiding the states that the write came from if it failed.
    pub(crate) fn answer(self, result: Result<(), StoreError>) {
        let Self { parts, done, .. } = self;
        if result.is_err() {
            for part in &parts {
                part.guard.void();
            }
        }
        // The state is free from here on: who hears the answer finds it out of memory if nobody else holds it.
        drop(parts);
        done(result);
    }
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

/// An execution as a whole, with its input.
#[derive(Clone, Debug)]
pub(crate) struct StoredRecord {
    pub(crate) record: ExecutionRecord,
    pub(crate) input: Option<Payload>,
}

/// Which executions to list.
#[derive(Clone, Debug, Default)]
pub(crate) struct ListQuery {
    pub(crate) function: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) statuses: Vec<ExecutionStatus>,
    pub(crate) started_after: Option<Timestamp>,
    pub(crate) started_before: Option<Timestamp>,
    pub(crate) oldest_first: bool,
    /// Only executions beyond this one, in the order asked for.
    pub(crate) beyond: Option<ExecutionKey>,
    pub(crate) limit: usize,
}

/// Which ended executions to find.
#[derive(Clone, Debug)]
pub(crate) struct EndedQuery {
    pub(crate) function: Option<String>,
    pub(crate) before: Timestamp,
    /// Only executions with a larger number.
    pub(crate) beyond: ExecutionKey,
    pub(crate) limit: usize,
}

/// Which events to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryQuery {
    /// Forwards: the first event id wanted. Backwards: the first event id not wanted.
    pub(crate) from: u64,
    pub(crate) backwards: bool,
    pub(crate) limit: usize,
}

/// What a store did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Writes that were committed.
    pub writes: u64,
    /// Transactions that held them; each one costs one sync of the disk.
    pub commits: u64,
}

/// Why the store could not do something.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another execution of the function has this name.
    #[error("another execution of the function has this name")]
    NameTaken,
    /// The store is closed, or another engine has taken it over.
    #[error("the store is closed")]
    Closed,
    /// An earlier write of the same execution failed.
    #[error("an earlier write of the same execution failed")]
    Void,
    /// The execution was removed.
    #[error("the execution was removed")]
    Removed,
    /// The database failed.
    #[error("{0}")]
    Database(Arc<str>),
}

impl StoreError {
    pub(crate) fn database(error: impl fmt::Display) -> Self {
        Self::Database(error.to_string().into())
    }
}
