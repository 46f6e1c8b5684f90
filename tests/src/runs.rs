//! One execution from start to end in virtual time, with everything a test wants to know about it.

use std::{future::Future, time::Duration};

use durable_engine::{RunError, service::EventType};
use durable_runtime::{
    Root,
    protocol::{ErrorObject, Operation, OperationType},
};
use durable_testing::{TestEngine, TestRun, World, virtual_time};

use crate::journal;

/// An execution that has ended.
#[derive(Debug)]
pub struct Ended<O> {
    /// What the function returned, or how else it ended.
    pub output: Result<O, RunError>,
    /// Checkpoint calls, refreshes included.
    pub checkpoint_calls: usize,
    /// Invocations.
    pub invocations: usize,
    /// Virtual time from start to end.
    pub elapsed: Duration,
    /// What was [noted](journal::note).
    pub notes: Vec<String>,
    /// The operations at the end.
    pub operations: Vec<Operation>,
    /// The types of the events.
    pub events: Vec<EventType>,
}

impl<O> Ended<O> {
    /// The error of an execution that ended otherwise than by returning.
    ///
    /// # Panics
    ///
    /// It returned, or has no error.
    #[must_use]
    pub fn error(&self) -> &ErrorObject {
        match &self.output {
            Err(RunError::Ended { error: Some(error), .. }) => error,
            Err(other) => panic!("the execution ended without an error of its own: {other}"),
            Ok(_) => panic!("the execution returned"),
        }
    }

    /// How often something was noted.
    #[must_use]
    pub fn noted(&self, label: &str) -> usize {
        self.notes.iter().filter(|note| *note == label).count()
    }

    /// The operations of a type, in the order in which they were created.
    #[must_use]
    pub fn of_type(&self, operation_type: OperationType) -> Vec<&Operation> {
        self.operations.iter().filter(|operation| operation.operation_type == operation_type).collect()
    }

    /// The first operation of this name.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    pub fn named(&self, name: &str) -> &Operation {
        let found = self.operations.iter().find(|operation| operation.name.as_deref() == Some(name));
        found.unwrap_or_else(|| panic!("no operation is named `{name}`"))
    }
}

impl<T, E: std::fmt::Debug> Ended<Result<T, E>> {
    /// The value of an execution that succeeded.
    ///
    /// # Panics
    ///
    /// It did not.
    #[must_use]
    pub fn value(self) -> T {
        self.output.expect("the function returned").expect("the function succeeded")
    }

    /// The function's own error.
    ///
    /// # Panics
    ///
    /// The function did not return one.
    #[must_use]
    pub fn failure(self) -> E {
        match self.output.expect("the function returned") {
            Err(error) => error,
            Ok(_) => panic!("the function succeeded"),
        }
    }
}

/// Runs `function` to its end, alone in the world.
pub fn run<Arguments: 'static, F: Root<Arguments> + Clone>(function: F, input: F::Input) -> Ended<F::Output> {
    run_in_world(function, input, |_| std::future::ready(()))
}

/// Runs `function` to its end, with somebody outside who completes its callbacks.
pub fn run_in_world<Arguments, F, Fut>(
    function: F,
    input: F::Input,
    world: impl FnOnce(World) -> Fut,
) -> Ended<F::Output>
where
    Arguments: 'static,
    F: Root<Arguments> + Clone,
    Fut: Future<Output = ()> + Send + 'static,
{
    virtual_time(async {
        let test = TestEngine::new();
        let run = test.start(function, input).await;
        tokio::spawn(world(run.world()));
        finish(&test, &run).await
    })
}

/// Runs `function` twice on one engine, one after the other: two executions with ids of their own. What is counted
/// for the second one includes the first.
pub fn run_twice<F: Root<(), Input = ()> + Clone>(function: F) -> (Ended<F::Output>, Ended<F::Output>) {
    virtual_time(async {
        let test = TestEngine::new();
        let run = test.start(function.clone(), ()).await;
        let first = finish(&test, &run).await;
        let run = test.start(function, ()).await;
        (first, finish(&test, &run).await)
    })
}

/// Waits for the end of `run` and reads everything about it.
pub async fn finish<O>(test: &TestEngine, run: &TestRun<O>) -> Ended<O> {
    let output = run.output().await;
    Ended {
        output,
        checkpoint_calls: test.checkpoint_calls(),
        invocations: test.invocations(),
        elapsed: test.elapsed(),
        notes: journal::take(),
        operations: run.operations().await,
        events: run.event_types().await,
    }
}
