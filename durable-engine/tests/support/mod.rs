//! Hand-written workflows, a clock that tests move, and both stores.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "each test binary uses its own part of what is public here; helpers fail tests by panicking"
)]

use std::{
    future::Future,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use durable_engine::{Engine, EngineBuilder, HistoryPage, MemoryStore};
use durable_runtime::{
    environment::{Clock, Environment},
    protocol::{
        CallbackOptions, ChainedInvokeOptions, InvocationInput, InvocationOutput, Operation, OperationAction,
        OperationId, OperationStatus, OperationType, OperationUpdate, StepOptions, Timestamp, WaitOptions,
    },
    service::{BoxFuture, CheckpointRequest, ServiceError},
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use tokio::sync::watch;

/// Time that stands still until a test moves it.
#[derive(Clone)]
pub struct TestClock {
    now: watch::Sender<i64>,
}

impl TestClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { now: watch::Sender::new(1_000_000) })
    }

    pub fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now += by.as_millis() as i64);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(*self.now.borrow())
    }

    fn sleep_until(&self, deadline: Timestamp) -> BoxFuture<'static, ()> {
        let mut now = self.now.subscribe();
        Box::pin(async move {
            if now.wait_for(|now| *now >= deadline.as_millis()).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

/// Where a test keeps its executions.
#[derive(Clone)]
pub enum Backend {
    Memory(MemoryStore),
    Sqlite(PathBuf, Arc<tempfile::TempDir>),
}

impl Backend {
    pub fn both() -> [Self; 2] {
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let path = directory.path().join("engine.db");
        [Self::Memory(MemoryStore::new()), Self::Sqlite(path, directory)]
    }

    pub fn builder(&self, clock: &Arc<TestClock>) -> EngineBuilder {
        let builder = Engine::builder().clock(Arc::clone(clock) as Arc<dyn Clock>);
        match self {
            Self::Memory(store) => builder.memory(store),
            Self::Sqlite(path, _) => builder.sqlite(path),
        }
    }
}

/// A workflow from an async closure.
pub struct FnWorkflow<F> {
    name: String,
    body: F,
}

pub fn workflow<F, R>(name: &str, body: F) -> SharedWorkflow
where
    F: Fn(Invocation) -> R + Send + Sync + 'static,
    R: Future<Output = Result<InvocationOutput, InvocationError>> + Send + 'static,
{
    Arc::new(FnWorkflow { name: name.to_owned(), body })
}

impl<F, R> Workflow for FnWorkflow<F>
where
    F: Fn(Invocation) -> R + Send + Sync + 'static,
    R: Future<Output = Result<InvocationOutput, InvocationError>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        Box::pin((self.body)(Invocation::new(input, environment)))
    }
}

/// One invocation's hold on the service: keeps the token and the state, as a driver does.
#[derive(Clone)]
pub struct Invocation {
    pub input: InvocationInput,
    pub environment: Environment,
    state: Arc<Mutex<(String, Vec<Operation>)>>,
}

impl Invocation {
    pub fn new(input: InvocationInput, environment: Environment) -> Self {
        let state = (input.checkpoint_token.clone(), input.initial_execution_state.operations.clone());
        Self { input, environment, state: Arc::new(Mutex::new(state)) }
    }

    pub fn operation(&self, id: &str) -> Option<Operation> {
        self.state.lock().unwrap().1.iter().find(|operation| operation.id.as_str() == id).cloned()
    }

    pub fn status(&self, id: &str) -> Option<OperationStatus> {
        self.operation(id).map(|operation| operation.status)
    }

    pub fn token(&self) -> String {
        self.state.lock().unwrap().0.clone()
    }

    pub async fn checkpoint(&self, updates: Vec<OperationUpdate>) -> Result<Vec<Operation>, ServiceError> {
        let request = CheckpointRequest {
            durable_execution_arn: self.input.durable_execution_arn.clone(),
            checkpoint_token: self.token(),
            updates,
            client_token: None,
        };
        let response = self.environment.service.checkpoint(request).await?;
        let changed = response.new_execution_state.operations;
        let mut state = self.state.lock().unwrap();
        if let Some(token) = response.checkpoint_token {
            state.0 = token;
        }
        for operation in &changed {
            match state.1.iter_mut().find(|known| known.id == operation.id) {
                Some(known) => known.clone_from(operation),
                None => state.1.push(operation.clone()),
            }
        }
        Ok(changed)
    }

    /// A step that runs unless it is recorded: START and SUCCEED in one batch.
    pub async fn step(&self, id: &str, result: &str) -> Result<String, InvocationError> {
        if let Some(operation) = self.operation(id).filter(|operation| operation.status.is_terminal()) {
            return Ok(operation.step_details.unwrap().result.unwrap().to_string());
        }
        let mut updates = Vec::new();
        if self.operation(id).is_none() {
            updates.push(update(id, OperationType::Step, OperationAction::Start));
        }
        let mut succeed = update(id, OperationType::Step, OperationAction::Succeed);
        succeed.payload = Some(result.into());
        updates.push(succeed);
        self.checkpoint(updates).await.map_err(ended)?;
        Ok(result.to_owned())
    }

    /// True once the wait is over; starts it when it is not there.
    pub async fn waited(&self, id: &str, seconds: u64) -> Result<bool, InvocationError> {
        if self.operation(id).is_none() {
            self.checkpoint(vec![wait(id, seconds)]).await.map_err(ended)?;
        }
        Ok(self.status(id) == Some(OperationStatus::Succeeded))
    }
}

pub fn ended(error: ServiceError) -> InvocationError {
    InvocationError::new(error.to_string())
}

pub fn update(id: &str, kind: OperationType, action: OperationAction) -> OperationUpdate {
    OperationUpdate::new(OperationId::new(id), kind, action)
}

pub fn wait(id: &str, seconds: u64) -> OperationUpdate {
    let mut start = update(id, OperationType::Wait, OperationAction::Start);
    start.wait_options = Some(WaitOptions { wait_seconds: seconds });
    start
}

pub fn callback(id: &str, timeout: Option<u64>, heartbeat: Option<u64>) -> OperationUpdate {
    let mut start = update(id, OperationType::Callback, OperationAction::Start);
    start.callback_options =
        Some(CallbackOptions { timeout_seconds: timeout, heartbeat_timeout_seconds: heartbeat });
    start
}

pub fn invoke(id: &str, function: &str, input: &str) -> OperationUpdate {
    let mut start = update(id, OperationType::ChainedInvoke, OperationAction::Start);
    start.payload = Some(input.into());
    start.chained_invoke_options =
        Some(ChainedInvokeOptions { function_name: function.to_owned(), ..ChainedInvokeOptions::default() });
    start
}

pub fn retry(id: &str, error: &str, seconds: u64) -> OperationUpdate {
    let mut retry = update(id, OperationType::Step, OperationAction::Retry);
    retry.error = Some(durable_runtime::protocol::ErrorObject::new("Error", error));
    retry.step_options = Some(StepOptions { next_attempt_delay_seconds: seconds });
    retry
}

pub fn succeeded(result: &str) -> Result<InvocationOutput, InvocationError> {
    Ok(InvocationOutput::Succeeded { result: Some(result.into()) })
}

pub fn pending() -> Result<InvocationOutput, InvocationError> {
    Ok(InvocationOutput::Pending)
}

/// The types of all events, in order; checks that their ids have no gaps.
pub async fn event_types(engine: &Engine, execution: &str) -> Vec<String> {
    let history = engine.history(execution, HistoryPage::all()).await.unwrap();
    for (position, event) in history.events.iter().enumerate() {
        assert_eq!(event.event_id, position as u64 + 1);
    }
    history.events.iter().map(|event| event.event_type.as_str().to_owned()).collect()
}

/// Ready once `holds` is true. Looks again whenever an event becomes durable, and every few milliseconds.
pub async fn until<R: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> R) {
    for _ in 0..5000 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("timed out: {what}");
}

/// Ready once the execution has no running invocation and waits for something.
pub async fn until_suspended(engine: &Engine, execution: &str) {
    until("the execution suspends", || async {
        let types = event_types(engine, execution).await;
        let summary = engine.get(execution).await.unwrap();
        !summary.is_invoking && types.iter().any(|kind| kind == "InvocationCompleted")
    })
    .await;
}
