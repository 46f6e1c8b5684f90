//! Services that misbehave: every call of every invocation passes through a [`Fault`].

use std::sync::Arc;

use durable_runtime::{
    environment::Environment,
    protocol::{ExecutionState, InvocationInput, InvocationOutput},
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError, StateRequest},
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use durable_testing::TestEngine;

/// What happens to a checkpoint call on its way. The default lets everything pass.
pub trait Fault: Send + Sync + 'static {
    /// Passes `request` on to `service`, or does something else.
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        service.checkpoint(request)
    }

    /// Sees how an invocation ended.
    fn ended(&self, _: &Result<InvocationOutput, InvocationError>) {}
}

/// A test engine whose workflows reach their service through `fault`.
pub fn engine_with<F: Fault>(fault: &Arc<F>) -> TestEngine {
    let fault = Arc::clone(fault);
    TestEngine::wrapping(move |inner| Arc::new(Faulty { inner, fault: Arc::clone(&fault) }))
}

struct Faulty<F> {
    inner: SharedWorkflow,
    fault: Arc<F>,
}

impl<F: Fault> Workflow for Faulty<F> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn invoke(
        &self,
        input: InvocationInput,
        mut environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let fault = Arc::clone(&self.fault);
        environment.service =
            Arc::new(FaultyService { inner: environment.service, fault: Arc::clone(&fault) });
        let invocation = self.inner.invoke(input, environment);
        Box::pin(async move {
            let ended = invocation.await;
            fault.ended(&ended);
            ended
        })
    }
}

struct FaultyService<F> {
    inner: Arc<dyn DurableService>,
    fault: Arc<F>,
}

impl<F: Fault> DurableService for FaultyService<F> {
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        self.fault.checkpoint(&*self.inner, request)
    }

    fn execution_state(&self, request: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        self.inner.execution_state(request)
    }
}
