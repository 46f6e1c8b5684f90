//! Stands between a workflow and its service: counts what passes, and stops the process where it is told to.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use durable_runtime::{
    environment::Environment,
    protocol::{ExecutionState, InvocationInput, InvocationOutput},
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError, StateRequest},
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use tokio::sync::Notify;

/// Counts the boundaries of a run: the moments before and after each change of durable state.
#[derive(Debug, Default)]
pub(crate) struct Boundaries {
    passed: AtomicUsize,
    /// The boundary at which the process dies; 0 for never.
    fatal: AtomicUsize,
    pub(crate) died: Notify,
    checkpoints: AtomicUsize,
    invocations: AtomicUsize,
}

impl Boundaries {
    pub(crate) fn dying_at(boundary: usize) -> Arc<Self> {
        Arc::new(Self { fatal: AtomicUsize::new(boundary), ..Self::default() })
    }

    pub(crate) fn passed(&self) -> usize {
        self.passed.load(Ordering::Relaxed)
    }

    pub(crate) fn checkpoints(&self) -> usize {
        self.checkpoints.load(Ordering::Relaxed)
    }

    pub(crate) fn invocations(&self) -> usize {
        self.invocations.load(Ordering::Relaxed)
    }

    /// Passes a boundary, or never returns when the process dies here.
    async fn pass(&self) {
        let boundary = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        if boundary == self.fatal.load(Ordering::Relaxed) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// A workflow whose every change of durable state is a boundary.
pub(crate) struct Probed {
    pub(crate) inner: SharedWorkflow,
    pub(crate) boundaries: Arc<Boundaries>,
}

impl Workflow for Probed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn invoke(
        &self,
        input: InvocationInput,
        mut environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let boundaries = Arc::clone(&self.boundaries);
        boundaries.invocations.fetch_add(1, Ordering::Relaxed);
        let inner = environment.service;
        environment.service = Arc::new(ProbedService { inner, boundaries: Arc::clone(&boundaries) });
        let invocation = self.inner.invoke(input, environment);
        Box::pin(async move {
            boundaries.pass().await;
            let output = invocation.await;
            boundaries.pass().await;
            output
        })
    }
}

struct ProbedService {
    inner: Arc<dyn DurableService>,
    boundaries: Arc<Boundaries>,
}

impl DurableService for ProbedService {
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            self.boundaries.checkpoints.fetch_add(1, Ordering::Relaxed);
            self.boundaries.pass().await;
            let response = self.inner.checkpoint(request).await;
            // Durable, but the answer may never arrive.
            self.boundaries.pass().await;
            response
        })
    }

    fn execution_state(&self, request: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        self.inner.execution_state(request)
    }
}
