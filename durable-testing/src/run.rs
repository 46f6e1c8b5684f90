//! An execution under test.

use std::{fmt, sync::Arc};

use durable_engine::{
    Engine, ExecutionSummary, HistoryPage, ResultError, RunError,
    service::{Event, EventType},
};
use durable_runtime::{
    protocol::{ErrorObject, Operation},
    service::BoxFuture,
};
use serde::Serialize;

use crate::{
    engine::{TestEngine, operations},
    history::RunHistory,
    world::World,
};

/// Waits for the end of an execution in one life of the engine.
pub(crate) type Wait<O> =
    Arc<dyn Fn(Engine, String) -> BoxFuture<'static, Result<O, RunError>> + Send + Sync>;

/// An execution under test. It holds no handle on the engine, so that the engine can die.
#[derive(Clone)]
pub struct TestRun<O> {
    pub(crate) test: TestEngine,
    pub(crate) arn: String,
    pub(crate) wait: Wait<O>,
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

    /// What happened so far, to be asserted on.
    ///
    /// # Panics
    ///
    /// The engine was killed.
    pub async fn history(&self) -> RunHistory {
        RunHistory {
            operations: self.operations().await,
            events: self.events().await,
            counts: self.test.boundaries().of_execution(self.arn()),
        }
    }

    /// Its history as JSON, as `durable history --json` prints it: to be committed, and
    /// [replayed](crate::replay) against later versions of the code.
    ///
    /// # Panics
    ///
    /// The engine was killed.
    pub async fn export(&self) -> String {
        let history = serde_json::json!({ "Events": self.events().await });
        serde_json::to_string_pretty(&history).expect("events can be written as JSON")
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
