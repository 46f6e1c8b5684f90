//! Recorded histories against today's code.

mod diagnose;
mod divergence;
mod events;
mod rerun;
mod state;

use std::fmt;

use durable_engine::service::Event;
use durable_runtime::{Root, environment::Options, workflow::SharedWorkflow};

use self::{diagnose::diagnose, rerun::Code};

pub use divergence::{Change, Divergence, OperationRef, Position, ReplayOutcome, Replayed};

/// Replays a recorded history against `function` as it is today.
///
/// Nothing outside happens: no step runs, and the replay stops where the recording stops. The history is the JSON
/// of `durable history --json`, of `aws lambda get-durable-execution-history --include-execution-data`, or of the
/// events of [`TestRun::export`](crate::TestRun::export): one object with `Events`, or the array alone.
///
/// An insertion, a removal, another order, another name or another kind is found wherever an execution in flight
/// would be broken by it, at any moment of the recording.
///
/// ```
/// use durable_runtime::prelude::*;
/// use durable_testing::{Change, ReplayOutcome, TestEngine, replay, virtual_time};
///
/// #[durable_step]
/// async fn charge(order: u32) -> Result<u32, Error> { Ok(order) }
/// #[durable_step]
/// async fn check(order: u32) -> Result<(), Error> { Ok(()) }
///
/// #[durable_execution]
/// async fn checkout(order: u32) -> Result<u32, Error> {
///     charge(order).await
/// }
///
/// #[durable_execution]
/// async fn changed_checkout(order: u32) -> Result<u32, Error> {
///     check(order).await?;
///     charge(order).await
/// }
///
/// let history = virtual_time(async {
///     let run = TestEngine::new().start(checkout, 7).await;
///     run.result().await.unwrap();
///     run.export().await
/// });
/// assert!(matches!(replay(&history, checkout), ReplayOutcome::Matches(_)));
/// let ReplayOutcome::Diverges(found) = replay(&history, changed_checkout) else { panic!("it should differ") };
/// assert_eq!(found.operation.name.as_deref(), Some("check"));
/// assert!(matches!(found.change, Change::Inserted { .. }));
/// ```
///
/// # Panics
///
/// The text is not a whole history with its data.
#[must_use]
pub fn replay<Arguments: 'static, F: Root<Arguments>>(history: &str, function: F) -> ReplayOutcome {
    Replay::of(history).run(function)
}

/// Asserts that today's `function` still fits a recorded history: see [`replay()`].
///
/// ```no_run
/// # use durable_runtime::prelude::*;
/// # #[durable_execution] async fn checkout(order: u32) -> Result<u32, Error> { Ok(order) }
/// #[test]
/// fn orders_in_flight_survive_this_change() {
///     durable_testing::assert_replays(include_str!(
/// # /*
///         "histories/checkout.json"
/// # */
/// # "../../Cargo.toml"
///     ), checkout);
/// }
/// ```
///
/// # Panics
///
/// It does not fit; the message names the operation and the kind of change. Or the text is not a history.
#[track_caller]
pub fn assert_replays<Arguments: 'static, F: Root<Arguments>>(history: &str, function: F) {
    let name = function.name();
    if let ReplayOutcome::Diverges(divergence) = replay(history, function) {
        panic!("`{name}` no longer fits a recorded history\n{divergence}");
    }
}

/// A recorded history with settings; [`replay()`] is the short form.
#[derive(Clone)]
#[must_use = "a history does nothing unless it is run"]
pub struct Replay {
    events: Vec<Event>,
    arn: Option<String>,
    options: Options,
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("events", &self.events.len()).finish_non_exhaustive()
    }
}

impl Replay {
    /// Reads a history.
    ///
    /// # Panics
    ///
    /// The text is not a whole history with its data.
    #[track_caller]
    pub fn of(history: &str) -> Self {
        let events = events::read(history).unwrap_or_else(|error| panic!("this is no history: {error}"));
        assert!(!events.is_empty(), "this is no history: it has no events");
        Self { events, arn: None, options: Options::default() }
    }

    /// The execution's ARN, which exports do not have: `uuid()`, `random()` and the jitter of retries depend on
    /// it. It matters only to code whose operations do too.
    pub fn arn(mut self, arn: impl Into<String>) -> Self {
        self.arn = Some(arn.into());
        self
    }

    /// The driver's options, such as the store in which large payloads are kept.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Replays the history against `function`.
    #[must_use]
    pub fn run<Arguments: 'static, F: Root<Arguments>>(self, function: F) -> ReplayOutcome {
        self.run_workflow(durable_runtime::workflow(function))
    }

    /// Replays the history against a workflow whose types are erased.
    #[must_use]
    pub fn run_workflow(self, workflow: SharedWorkflow) -> ReplayOutcome {
        let id = self.events.first().and_then(|event| event.id.as_deref()).unwrap_or("replay").to_owned();
        let arn = self.arn.unwrap_or_else(|| {
            format!(
                "arn:aws:lambda:local:000000000000:function:{}:$LATEST/durable-execution/replay/{id}",
                workflow.name()
            )
        });
        let now = state::end_of(&self.events);
        diagnose(&Code { workflow, arn, options: self.options, now }, &self.events)
    }
}
