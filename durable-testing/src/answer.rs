//! What the outside answers, and when.

use std::time::Duration;

use durable_runtime::{
    DurableError, IntoDuration, Outcome,
    intercept::Fake,
    protocol::{ErrorObject, OperationId, Payload},
};
use serde::Serialize;

/// What a callback or an invoked function is answered with.
///
/// ```
/// use durable_testing::Answer;
///
/// let slow_yes = Answer::success(true).after("2h");
/// # let _ = slow_yes;
/// ```
#[derive(Clone, Debug)]
#[must_use = "an answer does nothing unless a handler returns it"]
pub struct Answer {
    pub(crate) reply: Option<Reply>,
    pub(crate) after: Duration,
    pub(crate) heartbeat: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Success(Payload),
    Failure(ErrorObject),
}

impl Answer {
    /// A result, written as JSON; given at once.
    ///
    /// # Panics
    ///
    /// The value can't be written as JSON.
    pub fn success<V: Serialize>(value: V) -> Self {
        Self::raw(json(&value))
    }

    /// A result, byte for byte.
    pub fn raw(payload: impl Into<Payload>) -> Self {
        Self { reply: Some(Reply::Success(payload.into())), after: Duration::ZERO, heartbeat: None }
    }

    /// An error.
    pub fn failure(error: ErrorObject) -> Self {
        Self { reply: Some(Reply::Failure(error)), after: Duration::ZERO, heartbeat: None }
    }

    /// No answer at all.
    pub fn never() -> Self {
        Self { reply: None, after: Duration::ZERO, heartbeat: None }
    }

    /// Gives the answer so much later, in virtual time.
    ///
    /// # Panics
    ///
    /// This is no duration.
    pub fn after(mut self, delay: impl IntoDuration) -> Self {
        self.after = duration(delay);
        self
    }

    /// Sends a heartbeat in this interval until the answer is given; for callbacks.
    ///
    /// # Panics
    ///
    /// This is no duration, or it is zero.
    pub fn heartbeat(mut self, interval: impl IntoDuration) -> Self {
        let interval = duration(interval);
        assert!(!interval.is_zero(), "heartbeats need an interval");
        self.heartbeat = Some(interval);
        self
    }
}

pub(crate) fn duration(text: impl IntoDuration) -> Duration {
    text.into_duration().unwrap_or_else(|error| panic!("{error}"))
}

/// What a handler may return: an [`Answer`], or the `Result` of a function.
pub trait IntoAnswer {
    /// The answer.
    fn into_answer(self) -> Answer;
}

impl IntoAnswer for Answer {
    fn into_answer(self) -> Answer {
        self
    }
}

impl<T: Serialize, E: DurableError> IntoAnswer for Result<T, E> {
    fn into_answer(self) -> Answer {
        let written = Fake::new(&self).unwrap_or_else(|error| panic!("an answer can't be written: {error}"));
        match written.outcome() {
            Outcome::Succeeded(value) => Answer::raw(value.clone().unwrap_or_else(|| Payload::from("null"))),
            Outcome::Failed(error) => Answer::failure(error.clone()),
        }
    }
}

/// A callback that waits for its answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallbackRequest {
    /// The callback's name.
    pub name: String,
    /// The id by which it is completed.
    pub callback_id: String,
    /// Which callback of this name it is, counted from 1.
    pub number: usize,
    /// The operation that created it.
    pub operation_id: OperationId,
    /// The execution.
    pub execution_arn: String,
}

/// A JSON value as a payload.
pub(crate) fn json<V: Serialize>(value: &V) -> Payload {
    Payload::from(serde_json::to_string(value).expect("a test's value can be written as JSON"))
}
