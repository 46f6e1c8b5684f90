//! An engine in memory and in virtual time, that can die and come back.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use durable_engine::{Engine, EngineError, MemoryStore, PageLimit, RunError, StartOptions};
use durable_runtime::{
    Root,
    environment::{Clock, Options},
    intercept::{Interceptor, StepInterceptor},
    protocol::Operation,
    workflow::SharedWorkflow,
};
use tokio::sync::watch;

use crate::{
    between::{Between, in_front_of},
    clock::VirtualClock,
    fakes::Fakes,
    faults::Faults,
    gate::Gates,
    outside::Outside,
    probe::Boundaries,
    run::{TestRun, Wait},
};

/// An embedded engine for tests: in memory, in virtual time, strict like the service.
///
/// Use it inside [`virtual_time`](crate::virtual_time).
#[derive(Clone, Debug)]
pub struct TestEngine {
    shared: Arc<Shared>,
}

/// See [`TestEngine::wrapping`].
pub(crate) type Wrapper = Box<dyn Fn(SharedWorkflow) -> SharedWorkflow + Send + Sync>;

/// Rounds of the scheduler in which every waiting task has been polled.
const HANDLES_LET_GO: usize = 8;

struct Shared {
    store: MemoryStore,
    clock: VirtualClock,
    options: Options,
    page: PageLimit,
    workflows: Mutex<Vec<SharedWorkflow>>,
    /// Around every workflow, the innermost first.
    wrappers: Vec<Wrapper>,
    engine: Mutex<Option<Engine>>,
    /// Counts the lives of the engine; changes when it is reborn.
    life: watch::Sender<usize>,
    boundaries: Arc<Boundaries>,
    fakes: Arc<Fakes>,
    outside: Outside,
}

/// What an engine is made of.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) options: Options,
    pub(crate) page: Option<PageLimit>,
    pub(crate) boundaries: Arc<Boundaries>,
    pub(crate) faults: Option<Faults>,
    pub(crate) gates: Option<Arc<Gates>>,
    pub(crate) wrappers: Vec<Wrapper>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestEngine").field("elapsed", &self.clock.elapsed()).finish_non_exhaustive()
    }
}

impl Default for TestEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl TestEngine {
    /// An engine without executions, with default driver options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(Options::default())
    }

    /// An engine with other driver options.
    #[must_use]
    pub fn with_options(options: Options) -> Self {
        Self::build(Parts { options, ..Parts::default() })
    }

    /// An engine that hands out the state in pages, as the service does with a large one.
    #[must_use]
    pub fn with_state_page(page: PageLimit) -> Self {
        Self::build(Parts { page: Some(page), ..Parts::default() })
    }

    /// An engine whose every workflow is wrapped in another one before it is registered: for a service that
    /// answers late, refuses, or loses answers, replace the service in the environment of each invocation.
    #[must_use]
    pub fn wrapping(wrapper: impl Fn(SharedWorkflow) -> SharedWorkflow + Send + Sync + 'static) -> Self {
        Self::build(Parts { wrappers: vec![Box::new(wrapper)], ..Parts::default() })
    }

    /// An engine with somebody between its workflows and their service; see [`Between`].
    #[must_use]
    pub fn between<B: Between>(between: &Arc<B>) -> Self {
        let between: Arc<dyn Between> = Arc::<B>::clone(between);
        Self::wrapping(move |workflow| in_front_of(workflow, Arc::clone(&between)))
    }

    /// An engine whose service misbehaves; see [`Faults`].
    #[must_use]
    pub fn with_faults(faults: &Faults) -> Self {
        Self::build(Parts { faults: Some(faults.clone()), ..Parts::default() })
    }

    pub(crate) fn build(mut parts: Parts) -> Self {
        let fakes = Arc::new(Fakes::behind(parts.gates.clone()));
        let interceptor: Arc<dyn StepInterceptor> = Arc::<Fakes>::clone(&fakes);
        parts.options.interceptor = Some(Interceptor::new(interceptor));
        let mut wrappers = parts.wrappers;
        if let Some(faults) = parts.faults {
            let faults = faults.between();
            wrappers.push(Box::new(move |workflow| in_front_of(workflow, Arc::clone(&faults))));
        }
        let probe: Arc<dyn Between> = Arc::<Boundaries>::clone(&parts.boundaries);
        wrappers.push(Box::new(move |workflow| in_front_of(workflow, Arc::clone(&probe))));
        let shared = Shared {
            store: MemoryStore::new(),
            clock: VirtualClock::new(),
            options: parts.options,
            page: parts.page.unwrap_or(PageLimit::NONE),
            workflows: Mutex::default(),
            wrappers,
            engine: Mutex::default(),
            life: watch::Sender::new(0),
            boundaries: parts.boundaries,
            fakes,
            outside: Outside::behind(parts.gates),
        };
        let test = Self { shared: Arc::new(shared) };
        test.revive();
        test
    }

    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the engine where it stands: everything in memory is gone, what was durable stays.
    pub async fn kill(&self) {
        *self.lock(&self.shared.engine) = None;
        self.shared.life.send_modify(|life| *life += 1);
        // Whoever waits for the engine holds a handle on it; let them see that it is gone.
        for _ in 0..HANDLES_LET_GO {
            tokio::task::yield_now().await;
        }
    }

    /// Starts a new engine on what the last one left behind.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn revive(&self) {
        let shared = &self.shared;
        // Another one in each life, as the numbers of a real process are.
        let id_seed = *shared.life.borrow() as u64;
        let mut builder = Engine::builder()
            .memory(&shared.store)
            .clock(Arc::new(shared.clock))
            .driver_options(shared.options.clone())
            .state_page(shared.page)
            .id_seed(id_seed);
        for workflow in self.lock(&shared.workflows).iter() {
            builder = builder.workflow(Arc::clone(workflow));
        }
        let engine = builder.open().expect("a memory store always opens");
        *self.lock(&shared.engine) = Some(engine);
        shared.life.send_modify(|life| *life += 1);
    }

    /// The engine of this life.
    ///
    /// # Panics
    ///
    /// It was killed and not revived.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.lock(&self.shared.engine).clone().expect("the engine was killed; call `revive` first")
    }

    pub(crate) fn try_engine(&self) -> Option<Engine> {
        self.lock(&self.shared.engine).clone()
    }

    pub(crate) fn lives(&self) -> watch::Receiver<usize> {
        self.shared.life.subscribe()
    }

    /// The clock, to sleep or to read in a test.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.shared.clock)
    }

    /// How much virtual time has passed.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.shared.clock.elapsed()
    }

    /// Checkpoint calls of all executions so far, refreshes included.
    #[must_use]
    pub fn checkpoint_calls(&self) -> usize {
        self.shared.boundaries.total().checkpoints
    }

    /// Invocations of all executions so far.
    #[must_use]
    pub fn invocations(&self) -> usize {
        self.shared.boundaries.total().invocations
    }

    pub(crate) fn boundaries(&self) -> &Boundaries {
        &self.shared.boundaries
    }

    pub(crate) fn fakes(&self) -> &Fakes {
        &self.shared.fakes
    }

    pub(crate) fn outside(&self) -> &Outside {
        &self.shared.outside
    }

    /// Registers a function that others invoke.
    pub fn register<Arguments: 'static, F: Root<Arguments>>(&self, function: F) {
        let workflow = durable_runtime::workflow(function);
        self.add(self.shared.wrappers.iter().fold(workflow, |workflow, wrap| wrap(workflow)));
    }

    pub(crate) fn add(&self, workflow: SharedWorkflow) {
        let mut workflows = self.lock(&self.shared.workflows);
        workflows.retain(|known| known.name() != workflow.name());
        workflows.push(Arc::clone(&workflow));
        drop(workflows);
        if let Some(engine) = self.try_engine() {
            engine.register_workflow(workflow);
        }
    }

    /// Starts an execution.
    ///
    /// # Panics
    ///
    /// The engine refuses it.
    pub async fn start<Arguments: 'static, F: Root<Arguments> + Clone>(
        &self,
        function: F,
        input: F::Input,
    ) -> TestRun<F::Output> {
        self.start_with(function, StartOptions::default(), input).await
    }

    /// Starts an execution with a name, a tenant or a time limit.
    ///
    /// # Panics
    ///
    /// The engine refuses it.
    pub async fn start_with<Arguments: 'static, F: Root<Arguments> + Clone>(
        &self,
        function: F,
        options: StartOptions,
        input: F::Input,
    ) -> TestRun<F::Output> {
        self.register(function.clone());
        let engine = self.engine();
        let run = engine.start_with(function.clone(), options, input).await.expect("the execution starts");
        let wait: Wait<F::Output> = Arc::new(move |engine, arn| {
            let function = function.clone();
            Box::pin(async move {
                let run = engine.attach(&function, &arn).await.map_err(RunError::Engine)?;
                run.output().await
            })
        });
        TestRun { test: self.clone(), arn: run.arn().to_owned(), wait }
    }
}

pub(crate) async fn operations(engine: &Engine, arn: &str) -> Result<Vec<Operation>, EngineError> {
    let mut operations = engine.operations(arn).await?;
    operations.retain(|operation| !arn.ends_with(operation.id.as_str()));
    Ok(operations)
}
