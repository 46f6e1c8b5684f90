//! An engine's settings.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use durable_runtime::{
    environment::{Clock, Options},
    protocol::limits,
    workflow::SharedWorkflow,
};

use super::{
    Engine,
    core::{Core, CoreParts},
};
use crate::{
    clock::SystemClock,
    service::PageLimit,
    store::{MemoryStore, OpenError, SqliteStore, Store},
};

/// Invocations that run at the same time unless [`EngineBuilder::max_concurrent_invocations`] says otherwise.
pub const DEFAULT_MAX_CONCURRENT_INVOCATIONS: usize = 1024;

/// The region of an engine that is nowhere but here.
const DEFAULT_REGION: &str = "local";

/// An engine's settings. Without a store, executions are kept in memory and end with the engine.
#[must_use = "an engine exists once it is opened"]
pub struct EngineBuilder {
    store: StoreChoice,
    clock: Arc<dyn Clock>,
    workflows: Vec<SharedWorkflow>,
    driver_options: Options,
    page_limit: PageLimit,
    execution_timeout: Duration,
    max_concurrent_invocations: usize,
    region: Arc<str>,
    id_seed: Option<u64>,
}

enum StoreChoice {
    Memory(MemoryStore),
    Sqlite(PathBuf),
}

impl EngineBuilder {
    pub(super) fn new() -> Self {
        Self {
            store: StoreChoice::Memory(MemoryStore::new()),
            clock: Arc::new(SystemClock),
            workflows: Vec::new(),
            driver_options: Options::default(),
            page_limit: PageLimit::NONE,
            execution_timeout: Duration::from_secs(limits::MAX_WAIT_SECONDS),
            max_concurrent_invocations: DEFAULT_MAX_CONCURRENT_INVOCATIONS,
            region: DEFAULT_REGION.into(),
            id_seed: None,
        }
    }

    /// Keeps executions in the SQLite database at `path`, which is created when there is none.
    pub fn sqlite(mut self, path: impl AsRef<Path>) -> Self {
        self.store = StoreChoice::Sqlite(path.as_ref().to_owned());
        self
    }

    /// Keeps executions in `store`. An engine that had it before is cut off, like a dead process.
    pub fn memory(mut self, store: &MemoryStore) -> Self {
        self.store = StoreChoice::Memory(store.clone());
        self
    }

    /// Takes time from `clock`. Default: [`SystemClock`].
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Registers a workflow. See [`Engine`] on when its executions go on.
    pub fn workflow(mut self, workflow: SharedWorkflow) -> Self {
        self.workflows.push(workflow);
        self
    }

    /// How the driver of each invocation behaves. Default: [`Options::default`].
    pub fn driver_options(mut self, options: Options) -> Self {
        self.driver_options = options;
        self
    }

    /// Invocations that run at the same time; further ones wait in the store. Default: 1024. At least 1.
    pub fn max_concurrent_invocations(mut self, limit: usize) -> Self {
        self.max_concurrent_invocations = limit;
        self
    }

    /// How long an execution may take when [`StartOptions::timeout`](super::StartOptions) does not say
    /// otherwise, in whole seconds. Default: 31,622,400 s, the longest that the service allows.
    pub fn execution_timeout(mut self, timeout: Duration) -> Self {
        self.execution_timeout = timeout;
        self
    }

    /// The region in the ARNs of executions that are started from now on; one that exists keeps its ARN. Default:
    /// `local`.
    pub fn region(mut self, region: impl Into<Arc<str>>) -> Self {
        self.region = region.into();
        self
    }

    /// Makes the ids of executions and callbacks, and checkpoint tokens, from `seed` instead of the system's
    /// randomness, so that a test finds the same ones whenever it runs. Such ids can be guessed.
    pub fn id_seed(mut self, seed: u64) -> Self {
        self.id_seed = Some(seed);
        self
    }

    /// How much of an execution's state is handed to an invocation at once; it asks for the rest page by page.
    /// Default: [`PageLimit::NONE`], everything. Hosts whose invocations travel over a wire set 5 MiB.
    pub fn state_page(mut self, limit: PageLimit) -> Self {
        self.page_limit = limit;
        self
    }

    /// Opens the store and starts the engine. Call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// See [`OpenError`]; never with a [`MemoryStore`].
    pub fn open(self) -> Result<Engine, OpenError> {
        let store: Box<dyn Store> = match self.store {
            StoreChoice::Memory(store) => Box::new(store.connect()),
            StoreChoice::Sqlite(path) => Box::new(SqliteStore::open(&path)?),
        };
        let core = Core::new(CoreParts {
            store,
            clock: self.clock,
            driver_options: self.driver_options,
            page_limit: self.page_limit,
            default_timeout_seconds: self.execution_timeout.as_secs().clamp(1, limits::MAX_WAIT_SECONDS),
            max_concurrent_invocations: self.max_concurrent_invocations,
            region: self.region,
            id_seed: self.id_seed,
        });
        Ok(Engine::launch(core, self.workflows))
    }
}

impl std::fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBuilder").finish_non_exhaustive()
    }
}
