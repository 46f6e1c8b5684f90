//! Several crashes in one run, at planned boundaries.
//!
//! A boundary is a moment at which a process can die with a different outcome: before and after each checkpoint
//! call ("after" is durable with its answer lost), at the beginning and at the end of each invocation.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use durable_runtime::{
    Root,
    environment::Environment,
    protocol::{ExecutionState, InvocationInput, InvocationOutput, OperationId},
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError, StateRequest},
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use durable_testing::{TestEngine, TestRun, World, virtual_time};
use tokio::sync::Notify;

use crate::journal::{self, Entry};

/// What a run with crashes came to.
#[derive(Debug)]
pub struct Survived {
    /// The `Debug` text of the result.
    pub result: String,
    /// Boundaries passed by all lives together.
    pub boundaries: usize,
    /// How often the process died.
    pub crashes: usize,
    /// The effects that steps had again although they had been finished when the process died.
    pub repeated: Vec<String>,
    /// Everything that was [noted](journal::note), in all lives.
    pub entries: Vec<Entry>,
}

impl Survived {
    /// The steps that noted `label`, each as often as it did.
    #[must_use]
    pub fn steps_noting(&self, label: &str) -> Vec<OperationId> {
        let noting = self.entries.iter().filter(|entry| entry.label == label);
        noting.filter_map(|entry| entry.step.clone()).collect()
    }
}

/// Runs `function` and kills the process at each of `boundaries`, counted over all its lives.
pub fn survive<Arguments, F, Fut>(
    function: F,
    input: F::Input,
    boundaries: BTreeSet<usize>,
    world: impl FnOnce(World) -> Fut,
) -> Survived
where
    Arguments: 'static,
    F: Root<Arguments> + Clone,
    F::Output: Debug,
    Fut: Future<Output = ()> + Send + 'static,
{
    let _before = journal::take();
    virtual_time(async {
        let deaths = Arc::new(Deaths { fatal: boundaries, ..Deaths::default() });
        let probe = Arc::clone(&deaths);
        let test = TestEngine::wrapping(move |inner| Arc::new(Mortal { inner, deaths: Arc::clone(&probe) }));
        let run = test.start(function, input).await;
        let world = tokio::spawn(world(run.world()));
        let mut certain: Vec<(BTreeSet<OperationId>, usize)> = Vec::new();
        let result = loop {
            tokio::select! {
                biased;
                () = deaths.died.notified() => {
                    certain.push((finished(&run).await, journal::len()));
                    test.kill().await;
                    test.revive();
                }
                output = run.output() => break output,
            }
        };
        world.abort();
        let entries = journal::take_entries();
        Survived {
            result: match result {
                Ok(output) => format!("{output:?}"),
                Err(error) => error.to_string(),
            },
            boundaries: deaths.passed.load(Ordering::Relaxed),
            crashes: certain.len(),
            repeated: certain
                .iter()
                .flat_map(|(finished, before)| repeated(&entries, finished, *before))
                .collect(),
            entries,
        }
    })
}

fn repeated(entries: &[Entry], finished: &BTreeSet<OperationId>, before: usize) -> Vec<String> {
    let after = entries.iter().skip(before);
    let again = after.filter(|entry| entry.step.as_ref().is_some_and(|step| finished.contains(step)));
    again.map(|entry| entry.label.clone()).collect()
}

async fn finished<O>(run: &TestRun<O>) -> BTreeSet<OperationId> {
    let operations = run.operations().await.into_iter();
    operations.filter(|operation| operation.status.is_terminal()).map(|operation| operation.id).collect()
}

#[derive(Default)]
struct Deaths {
    fatal: BTreeSet<usize>,
    passed: AtomicUsize,
    died: Notify,
}

impl Deaths {
    /// Passes a boundary, or never returns when the process dies here.
    async fn pass(&self) {
        let boundary = self.passed.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fatal.contains(&boundary) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

struct Mortal {
    inner: SharedWorkflow,
    deaths: Arc<Deaths>,
}

impl Workflow for Mortal {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn invoke(
        &self,
        input: InvocationInput,
        mut environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let deaths = Arc::clone(&self.deaths);
        environment.service =
            Arc::new(MortalService { inner: environment.service, deaths: Arc::clone(&deaths) });
        let invocation = self.inner.invoke(input, environment);
        Box::pin(async move {
            deaths.pass().await;
            let output = invocation.await;
            deaths.pass().await;
            output
        })
    }
}

struct MortalService {
    inner: Arc<dyn DurableService>,
    deaths: Arc<Deaths>,
}

impl DurableService for MortalService {
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            self.deaths.pass().await;
            let response = self.inner.checkpoint(request).await;
            self.deaths.pass().await;
            response
        })
    }

    fn execution_state(&self, request: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        self.inner.execution_state(request)
    }
}
