//! Between an engine and its workflows: sees every invocation and every checkpoint call, and may interfere.

use std::{fmt, sync::Arc};

use durable_runtime::{
    environment::Environment,
    protocol::{ExecutionState, InvocationInput, InvocationOutput},
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError, StateRequest},
    workflow::{InvocationError, SharedWorkflow, Workflow},
};

/// How an invocation ended.
pub type Invoked = Result<InvocationOutput, InvocationError>;

/// Stands between the workflows of a [`TestEngine`](crate::TestEngine) and their service. The defaults let
/// everything pass.
pub trait Between: Send + Sync + 'static {
    /// Passes `request` on to `service`, or does something else.
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        service.checkpoint(request)
    }

    /// Runs `invocation`, or does something else.
    fn invocation(self: Arc<Self>, invocation: Invocation) -> BoxFuture<'static, Invoked> {
        invocation.run()
    }

    /// Sees how an invocation ended.
    fn ended(&self, output: &Invoked) {
        let _ = output;
    }
}

/// An invocation that has not begun. A clone is the same invocation delivered once more.
#[derive(Clone)]
pub struct Invocation {
    workflow: SharedWorkflow,
    /// What it is given.
    pub input: InvocationInput,
    /// What it reaches its service and its clock by.
    pub environment: Environment,
}

impl Invocation {
    /// The function's name.
    #[must_use]
    pub fn function(&self) -> &str {
        self.workflow.name()
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(self) -> BoxFuture<'static, Invoked> {
        self.workflow.invoke(self.input, self.environment)
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation").field("function", &self.function()).finish_non_exhaustive()
    }
}

/// Puts `between` in front of a workflow.
pub(crate) fn in_front_of(workflow: SharedWorkflow, between: Arc<dyn Between>) -> SharedWorkflow {
    Arc::new(Watched { workflow, between })
}

struct Watched {
    workflow: SharedWorkflow,
    between: Arc<dyn Between>,
}

impl Workflow for Watched {
    fn name(&self) -> &str {
        self.workflow.name()
    }

    fn invoke(
        &self,
        input: InvocationInput,
        mut environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let between = Arc::clone(&self.between);
        environment.service =
            Arc::new(WatchedService { service: environment.service, between: Arc::clone(&between) });
        let invocation = Invocation { workflow: Arc::clone(&self.workflow), input, environment };
        Box::pin(async move {
            let output = Arc::clone(&between).invocation(invocation).await;
            between.ended(&output);
            output
        })
    }
}

struct WatchedService {
    service: Arc<dyn DurableService>,
    between: Arc<dyn Between>,
}

impl DurableService for WatchedService {
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        self.between.checkpoint(&*self.service, request)
    }

    fn execution_state(&self, request: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        self.service.execution_state(request)
    }
}
