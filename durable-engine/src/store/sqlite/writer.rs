//! The only thread that writes. What queued while it was syncing shares its next transaction, and when many invocations
//! run, what comes a moment later, too.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::Instant,
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    encode::EncodedChanges,
    gathering::{self, Gathering},
};
use crate::{
    service::ExecutionKey,
    store::{Counters, StoreError, Write},
};

/// Writes in one transaction. Bounds how long the first one waits for its answer.
const LARGEST_GROUP: usize = 512;

pub(super) struct Writer {
    /// `None` once closed.
    queue: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    counted: Arc<Counted>,
}

#[derive(Default)]
struct Counted {
    writes: AtomicU64,
    commits: AtomicU64,
}

enum Job {
    Write(Request),
    /// Has a transaction of its own: writes that were queued behind it are answered without it.
    Remove(Removal),
}

struct Request {
    rows: Vec<EncodedChanges>,
    write: Write,
}

struct Removal {
    keys: Vec<ExecutionKey>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let (sender, receiver) = channel();
        let counted = Arc::new(Counted::default());
        let thread = std::thread::Builder::new().name("durable-writer".into()).spawn({
            let counted = Arc::clone(&counted);
            move || run(&connection, &receiver, &counted)
        })?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), counted })
    }

    pub(super) fn write(&self, mut write: Write) {
        let mut rows = Vec::with_capacity(write.parts.len());
        for part in &mut write.parts {
            let changes = part.changes.take();
            match EncodedChanges::encode(changes) {
                Ok(encoded) => rows.push(encoded),
                Err(error) => return write.answer(Err(error)),
            }
        }
        // New executions first: their names are what can be refused, before anything else is written.
        rows.sort_by_key(|encoded| !encoded.is_created());
        if let Some(Job::Write(refused)) = self.send(Job::Write(Request { rows, write })) {
            refused.write.answer(Err(StoreError::Closed));
        }
    }

    /// Queues a removal. The receiver fails when the store is closed.
    pub(super) fn remove(&self, keys: Vec<ExecutionKey>) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, receiver) = oneshot::channel();
        // A refused job takes the sender with it, which the receiver sees.
        drop(self.send(Job::Remove(Removal { keys, done })));
        receiver
    }

    /// Queues a job, or gives it back when the store is closed.
    fn send(&self, job: Job) -> Option<Job> {
        match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(queue) => queue.send(job).err().map(|refused| refused.0),
            None => Some(job),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            writes: self.counted.writes.load(Ordering::Relaxed),
            commits: self.counted.commits.load(Ordering::Relaxed),
        }
    }

    /// Commits and answers what is queued, then ends the thread and closes the database.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the database's writer thread panicked");
        }
    }
}

fn run(connection: &Connection, queue: &Receiver<Job>, counted: &Counted) {
    let mut group = Vec::with_capacity(LARGEST_GROUP);
    let mut gathering = Gathering::new();
    while let Ok(first) = queue.recv() {
        let mut removal = take_queued(queue, Some(first), &mut group);
        let wanted = gathering.wanted(group.iter().map(|request| request.write.running).max().unwrap_or(0));
        if group.len() < wanted && removal.is_none() {
            removal = wait_for_more(queue, wanted, &mut group);
        }
        gathering.learn(wanted, group.len());
        if !group.is_empty() {
            commit_group(connection, &mut group, counted);
        }
        if let Some(Removal { keys, done }) = removal {
            // Nobody listens when the caller went away.
            let _ = done.send(remove(connection, &keys).inspect_err(|_| rolled_back(connection)));
        }
    }
}

/// Gathers until the group is large enough, nothing comes any more, or a removal must not wait.
fn wait_for_more(queue: &Receiver<Job>, wanted: usize, group: &mut Vec<Request>) -> Option<Removal> {
    let begun = Instant::now();
    let mut last_came = begun;
    while group.len() < wanted {
        std::thread::sleep(gathering::NAP);
        let before = group.len();
        let removal = take_queued(queue, None, group);
        if removal.is_some() || begun.elapsed() >= gathering::PATIENCE {
            return removal;
        }
        if group.len() > before {
            last_came = Instant::now();
        } else if last_came.elapsed() >= gathering::SILENCE {
            return None;
        }
    }
    None
}

/// Adds what is queued to the group, up to a removal, which is given back.
fn take_queued(queue: &Receiver<Job>, first: Option<Job>, group: &mut Vec<Request>) -> Option<Removal> {
    let mut next = first.or_else(|| queue.try_recv().ok());
    while let Some(job) = next {
        match job {
            Job::Write(request) => group.push(request),
            Job::Remove(asked) => return Some(asked),
        }
        next = if group.len() < LARGEST_GROUP { queue.try_recv().ok() } else { None };
    }
    None
}

fn remove(connection: &Connection, keys: &[ExecutionKey]) -> Result<(), StoreError> {
    execute(connection, "BEGIN IMMEDIATE")?;
    for key in keys {
        for sql in [
            "DELETE FROM events WHERE execution = ?1",
            "DELETE FROM operations WHERE execution = ?1",
            "DELETE FROM executions WHERE key = ?1",
        ] {
            let run = || connection.prepare_cached(sql)?.execute([key.get()]);
            run().map_err(StoreError::database)?;
        }
    }
    let last = keys.iter().map(|key| key.get()).max().unwrap_or(0);
    let remember =
        || connection.prepare_cached("UPDATE removed SET last_key = max(last_key, ?1)")?.execute([last]);
    remember().map_err(StoreError::database)?;
    execute(connection, "COMMIT")
}

/// Ends the transaction of a commit that failed.
fn rolled_back(connection: &Connection) {
    if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
        tracing::error!("the failed transaction could not be rolled back");
    }
}

/// Commits the group and answers each of its writes.
fn commit_group(connection: &Connection, group: &mut Vec<Request>, counted: &Counted) {
    let mut verdicts = Vec::with_capacity(group.len());
    match commit(connection, group, &mut verdicts) {
        Ok(()) => {
            let answered = group.iter().zip(&verdicts);
            let written =
                answered.filter(|(request, verdict)| !request.rows.is_empty() && verdict.is_ok()).count();
            if written > 0 {
                counted.commits.fetch_add(1, Ordering::Relaxed);
                counted.writes.fetch_add(written as u64, Ordering::Relaxed);
            }
        }
        Err(error) => {
            tracing::error!(%error, writes = group.len(), "a commit failed; its executions are read back from the database");
            rolled_back(connection);
            verdicts.clear();
            verdicts.resize(group.len(), Err(error));
        }
    }
    for (request, verdict) in group.drain(..).zip(verdicts) {
        request.write.answer(verdict);
    }
}

/// Runs the group in one transaction. `verdicts` gets one entry for each request; the transaction's own
/// failure is the function's error.
fn commit(
    connection: &Connection,
    group: &[Request],
    verdicts: &mut Vec<Result<(), StoreError>>,
) -> Result<(), StoreError> {
    if group.iter().all(|request| request.rows.is_empty()) {
        // Only somebody who waits for what was written before.
        verdicts.resize(group.len(), Ok(()));
        return Ok(());
    }
    execute(connection, "BEGIN IMMEDIATE")?;
    for request in group {
        verdicts.push(match write_rows(connection, request) {
            Err(error @ StoreError::Database(_)) => return Err(error),
            refused_or_written => refused_or_written,
        });
    }
    execute(connection, "COMMIT")
}

fn write_rows(connection: &Connection, request: &Request) -> Result<(), StoreError> {
    if request.write.is_void() {
        return Err(StoreError::Void);
    }
    // One new execution can be refused before it has written anything. Only several ones need a way back.
    let needs_savepoint = request.rows.len() > 1;
    if needs_savepoint {
        execute(connection, "SAVEPOINT one_write")?;
    }
    let written = request.rows.iter().try_for_each(|rows| rows.execute(connection));
    if needs_savepoint {
        if written.is_err() {
            execute(connection, "ROLLBACK TO one_write")?;
        }
        execute(connection, "RELEASE one_write")?;
    }
    written
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let run = || connection.prepare_cached(sql)?.execute([]);
    run().map(drop).map_err(StoreError::database)
}
