//! What is due: asks the store when to look next, sleeps until then, and wakes what is due.
//!
//! The queue of executions that wait for time, or for a free slot to run in, is the store itself. The
//! scheduler holds nothing but the moment of the next one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use durable_runtime::protocol::Timestamp;
use tokio::sync::Notify;

use crate::{
    engine::{Core, Phase},
    service::ExecutionKey,
    store::StoreError,
};

/// Executions looked at together; their commits share transactions.
const CHUNK: usize = 64;
/// How long to leave a failing store alone.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Wakes the scheduler.
#[derive(Debug)]
pub(crate) struct Bell {
    notify: Notify,
    /// The moment for which the scheduler sleeps; the far future while it is looking.
    next: AtomicI64,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { notify: Notify::new(), next: AtomicI64::new(i64::MAX) }
    }

    /// Something changed that the scheduler must look at.
    pub(crate) fn ring(&self) {
        self.notify.notify_one();
    }

    /// An execution became due at `at`.
    pub(crate) fn ring_for(&self, at: Timestamp) {
        if at.as_millis() < self.next.load(Ordering::Acquire) {
            self.ring();
        }
    }
}

/// Runs until the engine stops.
pub(crate) async fn run(core: Arc<Core>) {
    let mut phase = core.phase.subscribe();
    loop {
        let next = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
            next = serve_due(&core) => next,
        };
        let now = core.clock.now();
        let sleep_until = match next {
            Ok(next) => next,
            Err(StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, "the scheduler could not read what is due; it tries again");
                Some(now.after(STORE_PAUSE))
            }
        };
        let sleep = async {
            match sleep_until {
                Some(moment) => {
                    core.bell.next.store(moment.as_millis(), Ordering::Release);
                    core.clock.sleep_until(moment).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
            () = core.bell.notify.notified() => {}
            () = sleep => {}
        }
    }
}

/// Wakes everything that is due, as far as there is room to run it. Returns the next due moment; `None`
/// when there is none, or when the next free slot must be waited for.
async fn serve_due(core: &Arc<Core>) -> Result<Option<Timestamp>, StoreError> {
    loop {
        // From here on every write that makes something due rings.
        core.bell.next.store(i64::MAX, Ordering::Release);
        let room = core.slots_free().min(CHUNK);
        if room == 0 {
            return Ok(None);
        }
        let functions = core.functions();
        let due = core.store.due(functions.clone(), core.clock.now(), room).await?;
        if due.is_empty() {
            return core.store.next_due(functions).await;
        }
        wake_all(core, due).await?;
    }
}

async fn wake_all(core: &Arc<Core>, due: Vec<ExecutionKey>) -> Result<(), StoreError> {
    let mut commits = Vec::with_capacity(due.len());
    // One execution that cannot be read must not hold up the others.
    let mut failed = None;
    for key in due {
        match core.wake(key).await {
            Ok(commit) => commits.push(commit.begun()),
            Err(error) => {
                tracing::error!(%error, execution = key.get(), "a due execution could not be woken");
                failed = Some(error);
            }
        }
    }
    let mut wrote = false;
    for commit in commits {
        match commit.wait().await {
            Ok(written) => wrote |= written,
            Err(error) => failed = Some(error),
        }
    }
    if !wrote {
        if let Some(error) = failed {
            return Err(error);
        }
        // Whatever made these executions due is being dealt with by a write on its way; wait for it instead of
        // asking in circles.
        core.flush().await?;
    }
    Ok(())
}
