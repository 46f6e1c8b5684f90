//! An engine in memory and in virtual time, that can die and come back.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use durable_engine::{
    Engine, EngineError, ExecutionSummary, HistoryPage, MemoryStore, PageLimit, ResultError, RunError,
    StartOptions,
    service::{Event, EventType},
};
use durable_runtime::{
    Root,
    environment::{Clock, Options},
    protocol::{ErrorObject, Operation, Payload},
    service::BoxFuture,
    workflow::SharedWorkflow,
};
use serde::Serialize;
use tokio::sync::watch;

use crate::{
    clock::VirtualClock,
    probe::{Boundaries, Probed},
    world::World,
};

/// An embedded engine for tests: in memory, in virtual time, strict like the service.
///
/// Use it inside [`virtual_time`](crate::virtual_time).
#[derive(Clone, Debug)]
pub struct TestEngine {
    shared: Arc<Shared>,
}

/// See [`TestEngine::wrapping`].
type Wrapper = Box<dyn Fn(SharedWorkflow) -> SharedWorkflow + Send + Sync>;

/// Rounds of the scheduler in which every waiting task has been polled.
const HANDLES_LET_GO: usize = 8;

struct Shared {
    store: MemoryStore,
    clock: VirtualClock,
    options: Options,
    page: PageLimit,
    workflows: Mutex<Vec<SharedWorkflow>>,
    wrapper: Option<Wrapper>,
    engine: Mutex<Option<Engine>>,
    /// Counts the lives of the engine; changes when it is reborn.
    life: watch::Sender<usize>,
    boundaries: Arc<Boundaries>,
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
        Self::build(options, PageLimit::NONE, Arc::default(), None)
    }

    /// An engine that hands out the state in pages, as the service does with a large one.
    #[must_use]
    pub fn with_state_page(page: PageLimit) -> Self {
        Self::build(Options::default(), page, Arc::default(), None)
    }

    /// An engine whose every workflow is wrapped in another one before it is registered: for a service that
    /// answers late, refuses, or loses answers, replace the service in the environment of each invocation.
    #[must_use]
    pub fn wrapping(wrapper: impl Fn(SharedWorkflow) -> SharedWorkflow + Send + Sync + 'static) -> Self {
        Self::build(Options::default(), PageLimit::NONE, Arc::default(), Some(Box::new(wrapper)))
    }

    pub(crate) fn probed(boundaries: Arc<Boundaries>) -> Self {
        Self::build(Options::default(), PageLimit::NONE, boundaries, None)
    }

    fn build(
        options: Options,
        page: PageLimit,
        boundaries: Arc<Boundaries>,
        wrapper: Option<Wrapper>,
    ) -> Self {
        let shared = Shared {
            store: MemoryStore::new(),
            clock: VirtualClock::new(),
            options,
            page,
            workflows: Mutex::default(),
            wrapper,
            engine: Mutex::default(),
            life: watch::Sender::new(0),
            boundaries,
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
        let mut builder = Engine::builder()
            .memory(&shared.store)
            .clock(Arc::new(shared.clock))
            .driver_options(shared.options.clone())
            .state_page(shared.page);
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
        self.shared.boundaries.checkpoints()
    }

    /// Invocations of all executions so far.
    #[must_use]
    pub fn invocations(&self) -> usize {
        self.shared.boundaries.invocations()
    }

    /// Registers a function that others invoke.
    pub fn register<Arguments: 'static, F: Root<Arguments>>(&self, function: F) {
        let workflow = durable_runtime::workflow(function);
        let inner = match &self.shared.wrapper {
            Some(wrap) => wrap(workflow),
            None => workflow,
        };
        let probed: SharedWorkflow =
            Arc::new(Probed { inner, boundaries: Arc::clone(&self.shared.boundaries) });
        let mut workflows = self.lock(&self.shared.workflows);
        workflows.retain(|known| known.name() != probed.name());
        workflows.push(Arc::clone(&probed));
        drop(workflows);
        if let Some(engine) = self.try_engine() {
            engine.register_workflow(probed);
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

/// Waits for the end of an execution in one life of the engine.
type Wait<O> = Arc<dyn Fn(Engine, String) -> BoxFuture<'static, Result<O, RunError>> + Send + Sync>;

/// An execution under test. It holds no handle on the engine, so that the engine can die.
#[derive(Clone)]
pub struct TestRun<O> {
    test: TestEngine,
    arn: String,
    wait: Wait<O>,
}

impl<O> fmt::Debug for TestRun<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestRun").field("arn", &self.arn).finish_non_exhaustive()
    }
}

impl<O> TestRun<O> {
    /// The execution's ARN.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Waits for the end, in virtual time and through all lives of the engine, and gives what the function
    /// returned.
    ///
    /// # Errors
    ///
    /// The execution ended otherwise than by returning.
    pub async fn output(&self) -> Result<O, RunError> {
        let mut lives = self.test.lives();
        loop {
            lives.mark_unchanged();
            let Some(engine) = self.test.try_engine() else {
                // Killed: the engine's own sender keeps the channel open.
                let _ = lives.changed().await;
                continue;
            };
            tokio::select! {
                result = (self.wait)(engine, self.arn.clone()) => return result,
                _ = lives.changed() => {}
            }
        }
    }

    /// The execution as the engine sees it now.
    ///
    /// # Panics
    ///
    /// The engine was killed.
    pub async fn summary(&self) -> ExecutionSummary {
        self.test.engine().get(self.arn()).await.expect("the execution exists")
    }

    /// The outside of the execution: whoever completes its callbacks.
    #[must_use]
    pub fn world(&self) -> World {
        World::new(self.test.clone(), self.arn().to_owned())
    }

    /// Its operations, without the execution itself.
    ///
    /// # Panics
    ///
    /// The engine was killed.
    pub async fn operations(&self) -> Vec<Operation> {
        operations(&self.test.engine(), self.arn()).await.expect("the execution exists")
    }

    /// Its events.
    ///
    /// # Panics
    ///
    /// The engine was killed.
    pub async fn events(&self) -> Vec<Event> {
        let history = self.test.engine().history(self.arn(), HistoryPage::all()).await;
        history.expect("the execution exists").events
    }

    /// The types of its events, in order: what most tests want to compare.
    pub async fn event_types(&self) -> Vec<EventType> {
        self.events().await.into_iter().map(|event| event.event_type).collect()
    }

    /// Completes the next open callback of this name with a JSON value. See [`World::complete`].
    pub async fn complete<V: Serialize + Sync>(&self, callback: &str, value: &V) {
        self.world().complete(callback, value).await;
    }

    /// Fails the next open callback of this name. See [`World::fail`].
    pub async fn fail(&self, callback: &str, error: ErrorObject) {
        self.world().fail(callback, error).await;
    }
}

impl<T, E> TestRun<Result<T, E>> {
    /// As [`TestRun::output`], with the function's error and how else it may end in one type.
    ///
    /// # Errors
    ///
    /// The function's own error, or how else the execution ended.
    pub async fn result(&self) -> Result<T, ResultError<E>> {
        self.output().await.map_err(ResultError::Run)?.map_err(ResultError::Failed)
    }
}

pub(crate) async fn operations(engine: &Engine, arn: &str) -> Result<Vec<Operation>, EngineError> {
    let mut operations = engine.operations(arn).await?;
    operations.retain(|operation| !arn.ends_with(operation.id.as_str()));
    Ok(operations)
}

/// A JSON value as a payload.
pub(crate) fn json<V: Serialize>(value: &V) -> Payload {
    Payload::from(serde_json::to_string(value).expect("a test's value can be written as JSON"))
}
