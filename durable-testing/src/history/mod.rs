//! What happened in a run, to be asserted on.

mod operation;
mod timeline;

use std::fmt;

use durable_engine::service::Event;
use durable_runtime::{
    IntoDuration,
    protocol::{Operation, OperationType, Timestamp},
};

use crate::{answer::duration, probe::Counts};

pub use operation::OperationHistory;

/// The history of an execution. Every assertion panics with the whole timeline when it does not hold.
///
/// ```
/// use durable_runtime::prelude::*;
/// use durable_testing::{Answer, TestEngine, virtual_time};
///
/// #[durable_step(retry(max_attempts = 3, initial_delay = "10s", backoff = 1, jitter = none))]
/// async fn reserve() -> Result<u32, Error> {
///     if step_attempt() == Some(3) { Ok(7) } else { Err(Error::new("sold out, perhaps")) }
/// }
///
/// #[durable_execution]
/// async fn book() -> Result<u32, Error> {
///     let seat = reserve().await?;
///     callback::<()>("paid").create().await.result().await?;
///     Ok(seat)
/// }
///
/// virtual_time(async {
///     let test = TestEngine::new();
///     test.on_callback("paid", |_| Answer::success(()).after("1h"));
///     let run = test.start(book, ()).await;
///     run.result().await.unwrap();
///
///     let history = run.history().await;
///     history.step("reserve").attempts(3).succeeded().returned(&7).took("20s");
///     history.callback("paid").succeeded().took("1h");
///     history.in_order(["reserve", "paid"]).never("refund");
///     history.checkpoint_calls_at_most(4).invocations(4);
/// });
/// ```
#[derive(Clone, Debug)]
pub struct RunHistory {
    pub(crate) operations: Vec<Operation>,
    pub(crate) events: Vec<Event>,
    pub(crate) counts: Counts,
}

impl RunHistory {
    /// The first step of this name, conditions included.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn step(&self, name: &str) -> OperationHistory<'_> {
        self.first(OperationType::Step, name)
    }

    /// The first wait of this name.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn wait(&self, name: &str) -> OperationHistory<'_> {
        self.first(OperationType::Wait, name)
    }

    /// The first callback of this name.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn callback(&self, name: &str) -> OperationHistory<'_> {
        self.first(OperationType::Callback, name)
    }

    /// The first invoke of this name.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn invoke(&self, name: &str) -> OperationHistory<'_> {
        self.first(OperationType::ChainedInvoke, name)
    }

    /// The first context of this name: a called execution, a named block, a map or a group.
    ///
    /// # Panics
    ///
    /// There is none.
    #[must_use]
    #[track_caller]
    pub fn context(&self, name: &str) -> OperationHistory<'_> {
        self.first(OperationType::Context, name)
    }

    /// Every operation of this name, in the order in which they were begun.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<OperationHistory<'_>> {
        let named = self.operations.iter().filter(|operation| operation.name.as_deref() == Some(name));
        named.map(|operation| OperationHistory { history: self, operation }).collect()
    }

    /// Asserts that no operation of this name was begun.
    ///
    /// # Panics
    ///
    /// One was.
    #[track_caller]
    pub fn never(&self, name: &str) -> &Self {
        let count = self.all(name).len();
        self.check(count == 0, || format!("`{name}` was never to be begun, and was {count} times"))
    }

    /// Asserts that the first operations of these names were begun in this order.
    ///
    /// # Panics
    ///
    /// They were not, or one of them never was.
    #[track_caller]
    pub fn in_order<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> &Self {
        let names: Vec<&str> = names.into_iter().collect();
        let position = |name: &str| {
            let found = self.operations.iter().position(|it| it.name.as_deref() == Some(name));
            found.unwrap_or_else(|| self.fail(&format!("no operation is named `{name}`")))
        };
        for pair in names.windows(2) {
            if let [before, after] = pair {
                self.check(position(before) < position(after), || {
                    format!("`{before}` was to be begun before `{after}`")
                });
            }
        }
        self
    }

    /// Asserts how many checkpoint calls the execution made.
    ///
    /// # Panics
    ///
    /// It made another number.
    #[track_caller]
    pub fn checkpoint_calls(&self, expected: usize) -> &Self {
        let made = self.counts.checkpoints;
        self.check(made == expected, || format!("expected {expected} checkpoint calls, and {made} were made"))
    }

    /// Asserts that the execution made no more checkpoint calls than this.
    ///
    /// # Panics
    ///
    /// It did.
    #[track_caller]
    pub fn checkpoint_calls_at_most(&self, limit: usize) -> &Self {
        let made = self.counts.checkpoints;
        self.check(made <= limit, || {
            format!("expected at most {limit} checkpoint calls, and {made} were made")
        })
    }

    /// Asserts how often the execution was invoked.
    ///
    /// # Panics
    ///
    /// Another number of times.
    #[track_caller]
    pub fn invocations(&self, expected: usize) -> &Self {
        let made = self.counts.invocations;
        self.check(made == expected, || format!("expected {expected} invocations, and there were {made}"))
    }

    /// Asserts how much virtual time the execution took until its last event.
    ///
    /// # Panics
    ///
    /// It took another time, or `expected` is no duration.
    #[track_caller]
    pub fn took(&self, expected: impl IntoDuration) -> &Self {
        let expected = duration(expected);
        let last = self.events.last().map_or_else(|| self.begin(), |event| event.event_timestamp);
        let took = last.since(self.begin());
        self.check(took == expected, || {
            format!("expected the execution to take {expected:?}, and it took {took:?}")
        })
    }

    pub(crate) fn begin(&self) -> Timestamp {
        self.events.first().map(|event| event.event_timestamp).unwrap_or_default()
    }

    #[track_caller]
    fn first(&self, operation_type: OperationType, name: &str) -> OperationHistory<'_> {
        let found = self
            .operations
            .iter()
            .find(|it| it.operation_type == operation_type && it.name.as_deref() == Some(name));
        match found {
            Some(operation) => OperationHistory { history: self, operation },
            None => self.fail(&format!("there is no {operation_type} `{name}`")),
        }
    }

    #[track_caller]
    fn check(&self, holds: bool, message: impl FnOnce() -> String) -> &Self {
        if !holds {
            self.fail(&message());
        }
        self
    }

    #[track_caller]
    pub(crate) fn fail(&self, message: &str) -> ! {
        panic!("{message}\n\n{self}")
    }
}

/// The timeline: one line for each event.
impl fmt::Display for RunHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        timeline::write(f, &self.events)?;
        writeln!(f, "{} invocations, {} checkpoint calls", self.counts.invocations, self.counts.checkpoints)
    }
}
