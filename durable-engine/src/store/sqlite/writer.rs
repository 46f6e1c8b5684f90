//! Everything that writes. One transaction at a time, on a thread for it, or where its commit is waited for. What queued
//! while the last one was syncing shares the next one, and when many invocations run, what comes a moment later, too.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{
    encode::EncodedChanges,
    gathering::{self, Gathering},
    transaction::{self, Request},
};
use crate::{
    service::ExecutionKey,
    store::{Counters, StoreError, Write},
};

/// Writes in one transaction. Bounds how long the first one waits for its answer.
const LARGEST_GROUP: usize = 512;
/// While commits take no longer than this, who waits for one may block a thread of the runtime for it.
const QUICK: Duration = Duration::from_millis(1);

pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// The thread has something to do.
    rung: Condvar,
    /// Held during a transaction. `None` once closed.
    committer: Mutex<Option<Committer>>,
    /// The last commit was [`QUICK`].
    is_quick: AtomicBool,
    writes: AtomicU64,
    commits: AtomicU64,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    /// The thread is to look at the jobs. Without it somebody else will.
    is_rung: bool,
    is_closed: bool,
}

struct Committer {
    connection: Connection,
    gathering: Gathering,
}

enum Job {
    Write(Request),
    /// Has a transaction of its own: writes that were queued behind it are answered without it.
    Remove(Removal),
}

struct Removal {
    keys: Vec<ExecutionKey>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn start(connection: Connection) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            rung: Condvar::new(),
            committer: Mutex::new(Some(Committer { connection, gathering: Gathering::new() })),
            is_quick: AtomicBool::new(false),
            writes: AtomicU64::new(0),
            commits: AtomicU64::new(0),
        });
        let thread = std::thread::Builder::new().name("durable-writer".into()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
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
        let rings = !write.by_waiter;
        if let Some(Job::Write(refused)) = self.send(Job::Write(Request { rows, write }), rings) {
            refused.write.answer(Err(StoreError::Closed));
        }
    }

    /// Queues a removal. The receiver fails when the store is closed.
    pub(super) fn remove(&self, keys: Vec<ExecutionKey>) -> oneshot::Receiver<Result<(), StoreError>> {
        let (done, receiver) = oneshot::channel();
        // A refused job takes the sender with it, which the receiver sees.
        drop(self.send(Job::Remove(Removal { keys, done }), true));
        receiver
    }

    /// Queues a job, or gives it back when the store is closed.
    fn send(&self, job: Job, rings: bool) -> Option<Job> {
        let mut queue = self.shared.queue();
        if queue.is_closed {
            return Some(job);
        }
        queue.jobs.push_back(job);
        if rings {
            self.shared.ring(queue);
        }
        None
    }

    /// Leaves what is queued to the thread.
    pub(super) fn commit_soon(&self) {
        self.shared.ring(self.shared.queue());
    }

    /// Commits what is queued on the caller's thread, which saves the time that it takes to wake two threads; or leaves
    /// it to the writer's, when others write too, or the disk is slow.
    pub(super) fn commit_here(&self) {
        let shared = &*self.shared;
        if shared.is_quick.load(Ordering::Relaxed)
            && shared.queue().is_one_of_a_waiter()
            && let Some(committer) = shared.try_committer()
        {
            shared.commit_some(committer);
        }
        let queue = shared.queue();
        if !queue.jobs.is_empty() {
            shared.ring(queue);
        }
    }

    pub(super) fn counters(&self) -> Counters {
        Counters {
            writes: self.shared.writes.load(Ordering::Relaxed),
            commits: self.shared.commits.load(Ordering::Relaxed),
        }
    }

    /// Commits and answers what is queued, then ends the thread and closes the database.
    pub(super) fn close(&self) {
        let mut queue = self.shared.queue();
        queue.is_closed = true;
        self.shared.ring(queue);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the database's writer thread panicked");
        }
    }
}

impl Queue {
    fn is_one_of_a_waiter(&self) -> bool {
        self.jobs.len() == 1
            && self.jobs.iter().all(|job| matches!(job, Job::Write(request) if request.write.by_waiter))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, mut queue: MutexGuard<'_, Queue>) {
        queue.is_rung = true;
        drop(queue);
        self.rung.notify_one();
    }

    /// The right to commit, unless somebody has it or the database is closed.
    fn try_committer(&self) -> Option<MutexGuard<'_, Option<Committer>>> {
        let committer = match self.committer.try_lock() {
            Ok(committer) => committer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        committer.is_some().then_some(committer)
    }

    /// The writer's thread.
    fn run(&self) {
        let _end = End(self);
        loop {
            let queue = self.queue();
            let wait = |queue: &mut Queue| !queue.is_rung && !queue.is_closed;
            let mut queue = self.rung.wait_while(queue, wait).unwrap_or_else(PoisonError::into_inner);
            queue.is_rung = false;
            let ends = queue.is_closed;
            drop(queue);
            // As long as there is anything; once closed, nothing is added any more.
            while self.commit_some(self.committer.lock().unwrap_or_else(PoisonError::into_inner)) {}
            if ends {
                return;
            }
        }
    }

    /// One transaction with what is queued, and one for a removal behind it. False when nothing is queued.
    ///
    /// Answers before anybody else may commit: a write must not be committed after an earlier one of the same execution
    /// failed, which is known by its answer, and answers come in the order of the writes.
    fn commit_some(&self, mut committer: MutexGuard<'_, Option<Committer>>) -> bool {
        let Some(Committer { connection, gathering }) = committer.as_mut() else { return false };
        let mut group = Vec::new();
        let mut removal = self.take_queued(&mut group);
        if group.is_empty() && removal.is_none() {
            return false;
        }
        let wanted = gathering.wanted(group.iter().map(|request| request.write.running).max().unwrap_or(0));
        if group.len() < wanted && removal.is_none() {
            removal = self.wait_for_more(wanted, &mut group);
        }
        gathering.learn(wanted, group.len());
        let verdicts = self.commit_group(connection, &group);
        for (request, verdict) in group.into_iter().zip(verdicts) {
            request.write.answer(verdict);
        }
        if let Some(Removal { keys, done }) = removal {
            let removed = transaction::remove(connection, &keys);
            // Nobody listens when the caller went away.
            let _ = done.send(removed.inspect_err(|_| transaction::roll_back(connection)));
        }
        true
    }

    /// Gathers until the group is large enough, nothing comes any more, or a removal must not wait.
    fn wait_for_more(&self, wanted: usize, group: &mut Vec<Request>) -> Option<Removal> {
        let begun = Instant::now();
        let mut last_came = begun;
        while group.len() < wanted {
            std::thread::sleep(gathering::NAP);
            let before = group.len();
            let removal = self.take_queued(group);
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
    fn take_queued(&self, group: &mut Vec<Request>) -> Option<Removal> {
        let mut queue = self.queue();
        while group.len() < LARGEST_GROUP {
            match queue.jobs.pop_front()? {
                Job::Write(request) => group.push(request),
                Job::Remove(asked) => return Some(asked),
            }
        }
        None
    }

    /// Commits the group. Gives an answer to each of its writes.
    fn commit_group(&self, connection: &Connection, group: &[Request]) -> Vec<Result<(), StoreError>> {
        let mut verdicts = Vec::with_capacity(group.len());
        let begun = Instant::now();
        match transaction::commit(connection, group, &mut verdicts) {
            Ok(()) => {
                let answered = group.iter().zip(&verdicts);
                let written =
                    answered.filter(|(request, verdict)| !request.rows.is_empty() && verdict.is_ok()).count();
                if written > 0 {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    self.writes.fetch_add(written as u64, Ordering::Relaxed);
                    self.is_quick.store(begun.elapsed() < QUICK, Ordering::Relaxed);
                }
            }
            Err(error) => {
                tracing::error!(%error, writes = group.len(), "a commit failed; its executions are read back from the database");
                transaction::roll_back(connection);
                verdicts.clear();
                verdicts.resize(group.len(), Err(error));
            }
        }
        verdicts
    }
}

/// The end of the writer's thread, also by a panic: nothing is taken any more that nobody would commit.
struct End<'s>(&'s Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_closed = true;
        let unanswered = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(self.0.committer.lock().unwrap_or_else(PoisonError::into_inner).take());
        // Whoever waits for one of them hears that the store is closed.
        drop(unanswered);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{Receiver, channel},
        thread::{self, ThreadId},
    };

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    type Answers = Receiver<(ThreadId, Result<(), StoreError>)>;

    fn writer() -> Writer {
        let writer = Writer::start(Connection::open_in_memory().unwrap()).unwrap();
        writer.shared.is_quick.store(true, Ordering::Relaxed);
        writer
    }

    /// Queues a write, and gives where it is answered.
    fn write(writer: &Writer, by_waiter: bool) -> Answers {
        let (sender, answers) = channel();
        let done = Box::new(move |result| {
            let _ = sender.send((thread::current().id(), result));
        });
        writer.write(Write { running: 1, by_waiter, parts: Vec::new(), done });
        answers
    }

    fn is_answered_here(answers: &Answers) -> bool {
        let (thread, result) = answers.recv_timeout(SOON).unwrap();
        result.unwrap();
        thread == thread::current().id()
    }

    #[test]
    fn a_write_is_committed_where_it_is_waited_for() {
        let writer = writer();
        let answers = write(&writer, true);
        assert!(answers.try_recv().is_err(), "nobody commits it yet");
        writer.commit_here();
        assert!(answers.try_recv().is_ok_and(|(thread, _)| thread == thread::current().id()));
    }

    #[test]
    fn what_its_waiter_gives_up_is_committed_elsewhere() {
        let writer = writer();
        let answers = write(&writer, true);
        writer.commit_soon();
        assert!(!is_answered_here(&answers));
    }

    #[test]
    fn with_other_writes_or_on_a_slow_disk_the_writer_commits() {
        let writer = writer();
        let both = [write(&writer, true), write(&writer, true)];
        writer.commit_here();
        assert!(both.iter().all(|answers| !is_answered_here(answers)));
        writer.shared.is_quick.store(false, Ordering::Relaxed);
        let slow = write(&writer, true);
        writer.commit_here();
        assert!(!is_answered_here(&slow));
    }

    #[test]
    fn who_comes_while_another_one_commits_is_not_forgotten() {
        let writer = writer();
        let committer = writer.shared.committer.lock().unwrap();
        let answers = write(&writer, true);
        writer.commit_here();
        assert!(answers.try_recv().is_err());
        drop(committer);
        assert!(!is_answered_here(&answers));
    }

    #[test]
    fn closing_commits_what_was_taken_and_refuses_the_rest() {
        let writer = writer();
        let taken = write(&writer, true);
        writer.close();
        assert!(taken.try_recv().unwrap().1.is_ok());
        let late = write(&writer, true);
        assert!(matches!(late.try_recv(), Ok((_, Err(StoreError::Closed)))));
        writer.commit_here();
    }

    #[test]
    fn nobody_commits_before_a_write_is_answered() {
        let writer = Arc::new(writer());
        let (sender, answers) = channel();
        let done = {
            let shared = Arc::clone(&writer.shared);
            Box::new(move |_| {
                let _ = sender.send(shared.try_committer().is_none());
            })
        };
        writer.write(Write { running: 1, by_waiter: true, parts: Vec::new(), done });
        writer.commit_here();
        assert_eq!(answers.try_recv(), Ok(true));
    }

    #[test]
    fn the_end_of_the_thread_is_the_end_of_the_store() {
        let writer = writer();
        let queued = write(&writer, true);
        drop(End(&writer.shared));
        assert!(queued.try_recv().is_err_and(|error| error == std::sync::mpsc::TryRecvError::Disconnected));
        assert!(matches!(write(&writer, false).try_recv(), Ok((_, Err(StoreError::Closed)))));
    }
}
