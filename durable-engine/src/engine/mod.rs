//! The engine as its users see it.

mod awaited;
mod batch;
mod builder;
mod callbacks;
mod control;
mod core;
mod error;
mod face;
mod live;
mod progress;
mod query;
mod retention;
mod start;

use std::{path::Path, sync::Arc, time::Duration};

use durable_runtime::{payloads::Payloads, workflow::SharedWorkflow};
use tokio::sync::broadcast;

pub use builder::{DEFAULT_MAX_CONCURRENT_INVOCATIONS, EngineBuilder};
pub use callbacks::PrefetchedCallback;
pub use error::{CallbackError, EngineError};
pub use progress::Progress;
pub use query::{ExecutionList, ExecutionSummary, History, HistoryPage, ListFilter};
pub use start::{StartOptions, Started};

pub(crate) use self::core::{Core, Permit, Phase};
pub(crate) use face::ServiceFace;
pub(crate) use live::Slot;

use crate::store::{Counters, OpenError};

/// An embedded durable execution engine: keeps executions in a store, runs their workflows in this process,
/// and does what time and the outside world ask for.
///
/// A clone is another handle on the same engine. When the last handle is dropped, the engine stops at once:
/// running invocations are dropped where they stand, and their executions go on after the next start, as
/// after a crash. [`Engine::shutdown`] is the graceful way.
///
/// **An execution is only touched once its function is registered.** Opening a database to look at it changes
/// nothing. With the registration of a function, and no sooner, the invocations of that function that died
/// with an earlier process are recorded as ended, timers that came due in the meantime fire, and what was
/// running is invoked again. Register all functions with the builder when they invoke each other: an invoke of
/// a function that is not registered fails.
#[derive(Clone)]
pub struct Engine {
    core: Arc<Core>,
    /// Stops the engine when the last handle goes.
    _handle: Arc<Handle>,
}

struct Handle {
    core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.halt();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("functions", &self.core.functions()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the SQLite database at `path` with the defaults of [`Engine::builder`]; it is created when there
    /// is none. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]. The file was not changed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder().sqlite(path).open()
    }

    /// An engine with other settings than the default ones.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::new()
    }

    fn launch(core: Core, workflows: Vec<SharedWorkflow>) -> Self {
        let core = Arc::new(core);
        let engine = Self { _handle: Arc::new(Handle { core: Arc::clone(&core) }), core };
        engine.register_workflows(workflows);
        engine.core.runtime.spawn(crate::scheduler::run(Arc::clone(&engine.core)));
        engine
    }

    /// Registers a workflow and lets its executions go on. One that was registered under the same name is
    /// replaced: its running invocations end as they are, the next ones run the new workflow.
    pub fn register_workflow(&self, workflow: SharedWorkflow) {
        self.register_workflows([workflow]);
    }

    /// Registers several workflows before the executions of any of them go on.
    pub fn register_workflows(&self, workflows: impl IntoIterator<Item = SharedWorkflow>) {
        let mut new = Vec::new();
        let mut registered = self.core.workflows.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        for workflow in workflows {
            let name: Arc<str> = workflow.name().into();
            if registered.insert(Arc::clone(&name), workflow).is_none() {
                new.push(name);
            }
        }
        drop(registered);
        if new.is_empty() {
            return;
        }
        let core = Arc::clone(&self.core);
        self.core.runtime.spawn(async move {
            for function in new {
                recover_until_done(&core, function).await;
            }
            core.bell.ring();
        });
    }

    /// The names of the registered workflows, sorted.
    #[must_use]
    pub fn registered(&self) -> Vec<String> {
        self.core.functions().iter().map(ToString::to_string).collect()
    }

    /// Every event of every execution from now on, as it becomes durable: for live displays. A subscriber that
    /// falls more than 1,024 events behind misses some and is told so; the history has them all.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Progress> {
        self.core.watchers.subscribe()
    }

    /// What the store did so far: its number of commits is the number of disk syncs that durability cost.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.core.store.counters()
    }

    /// Where this engine keeps large payloads, if it has a store for them.
    pub(crate) fn payloads(&self) -> Option<&Payloads> {
        self.core.driver_options.payloads.as_ref()
    }

    /// How many executions are in memory at the moment: those that run or are being worked with.
    #[must_use]
    pub fn executions_in_memory(&self) -> usize {
        self.core.live.len()
    }

    /// Stops gracefully: begins no further invocations, waits up to `limit` for the running ones, then drops
    /// what still runs, makes everything durable and releases the database. True when everything ended in time.
    /// What did not end is invoked again after the next start.
    pub async fn shutdown(&self, limit: Duration) -> bool {
        self.core.phase.send_if_modified(|phase| {
            let running = *phase == Phase::Running;
            if running {
                *phase = Phase::Draining;
            }
            running
        });
        let ended = tokio::time::timeout(limit, self.core.all_invocations_ended()).await.is_ok();
        // Fails only when the store is closed, and then there is nothing left to flush.
        let _ = self.core.flush().await;
        self.core.halt();
        ended
    }
}

async fn recover_until_done(core: &Arc<Core>, function: Arc<str>) {
    let mut phase = core.phase.subscribe();
    loop {
        match core.recover(Arc::clone(&function)).await {
            Ok(()) | Err(crate::store::StoreError::Closed) => return,
            Err(error) => {
                tracing::error!(%error, %function, "interrupted executions could not be read; trying again");
            }
        }
        tokio::select! {
            _ = phase.wait_for(|phase| *phase != Phase::Running) => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
