//! Assertions on one operation.

use std::{fmt::Debug, time::Duration};

use durable_engine::service::EventType;
use durable_runtime::{
    IntoDuration,
    protocol::{ErrorObject, Operation, OperationStatus, Payload},
};
use serde::{Serialize, de::DeserializeOwned};

use super::RunHistory;
use crate::answer::{duration, json};

/// One operation of a [`RunHistory`].
#[derive(Clone, Copy, Debug)]
pub struct OperationHistory<'a> {
    pub(super) history: &'a RunHistory,
    pub(super) operation: &'a Operation,
}

impl OperationHistory<'_> {
    /// Asserts that a step's attempts were begun so many times.
    ///
    /// # Panics
    ///
    /// Another number of times.
    #[track_caller]
    pub fn attempts(self, expected: usize) -> Self {
        let begun = |event: &&durable_engine::service::Event| {
            event.event_type == EventType::StepStarted && event.id.as_ref() == Some(&self.operation.id)
        };
        let attempts = self.history.events.iter().filter(begun).count();
        self.check(attempts == expected, || format!("had {attempts} attempts, not {expected}"))
    }

    /// Asserts that it succeeded.
    ///
    /// # Panics
    ///
    /// It did not.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        self.ended(OperationStatus::Succeeded)
    }

    /// Asserts that it failed.
    ///
    /// # Panics
    ///
    /// It did not.
    #[track_caller]
    pub fn failed(self) -> Self {
        self.ended(OperationStatus::Failed)
    }

    /// Asserts that it failed with an error of this type, such as `PayError`.
    ///
    /// # Panics
    ///
    /// It did not.
    #[track_caller]
    pub fn failed_with(self, error_type: &str) -> Self {
        let this = self.failed();
        let actual = this.error().and_then(|error| error.error_type.as_deref());
        this.check(actual == Some(error_type), || {
            format!("failed with `{}`, not with `{error_type}`", actual.unwrap_or("no error type"))
        })
    }

    /// Asserts that it ran out of time.
    ///
    /// # Panics
    ///
    /// It did not.
    #[track_caller]
    pub fn timed_out(self) -> Self {
        self.ended(OperationStatus::TimedOut)
    }

    /// Asserts that it was cancelled.
    ///
    /// # Panics
    ///
    /// It was not.
    #[track_caller]
    pub fn cancelled(self) -> Self {
        self.ended(OperationStatus::Cancelled)
    }

    /// Asserts that it has not ended.
    ///
    /// # Panics
    ///
    /// It has.
    #[track_caller]
    pub fn open(self) -> Self {
        let status = self.operation.status;
        self.check(!status.is_terminal(), || format!("was to be open, and is {status:?}"))
    }

    /// Asserts what its recorded result is, as JSON.
    ///
    /// # Panics
    ///
    /// It is something else.
    #[track_caller]
    pub fn returned<V: Serialize + Debug>(self, expected: &V) -> Self {
        let actual = self.payload().map_or("null", Payload::as_str);
        let same = serde_json::from_str::<serde_json::Value>(actual)
            .is_ok_and(|actual| serde_json::to_value(expected).is_ok_and(|expected| actual == expected));
        self.check(same, || format!("returned {actual}, not {}", json(expected).as_str()))
    }

    /// Its recorded result.
    ///
    /// # Panics
    ///
    /// The result is not of this type.
    #[must_use]
    #[track_caller]
    pub fn result<T: DeserializeOwned>(self) -> T {
        let actual = self.payload().map_or("null", Payload::as_str);
        serde_json::from_str(actual).unwrap_or_else(|error| {
            self.fail(&format!("returned {actual}, which is no `{}`: {error}", std::any::type_name::<T>()))
        })
    }

    /// Asserts how much virtual time passed from its beginning to its end.
    ///
    /// # Panics
    ///
    /// Another time, it has not ended, or `expected` is no duration.
    #[track_caller]
    pub fn took(self, expected: impl IntoDuration) -> Self {
        let expected = duration(expected);
        let took = self.duration();
        self.check(took == expected, || format!("took {took:?}, not {expected:?}"))
    }

    /// Asserts that it ended within this time from its beginning.
    ///
    /// # Panics
    ///
    /// It took longer, it has not ended, or `limit` is no duration.
    #[track_caller]
    pub fn took_at_most(self, limit: impl IntoDuration) -> Self {
        let limit = duration(limit);
        let took = self.duration();
        self.check(took <= limit, || format!("took {took:?}, which is more than {limit:?}"))
    }

    /// Asserts how long after the execution's start it was begun.
    ///
    /// # Panics
    ///
    /// At another time, or `expected` is no duration.
    #[track_caller]
    pub fn started_after(self, expected: impl IntoDuration) -> Self {
        let expected = duration(expected);
        let started = self.operation.start_timestamp.since(self.history.begin());
        self.check(started == expected, || format!("began after {started:?}, not after {expected:?}"))
    }

    /// The record itself.
    #[must_use]
    pub const fn record(&self) -> &Operation {
        self.operation
    }

    #[track_caller]
    fn duration(self) -> Duration {
        match self.operation.end_timestamp {
            Some(end) => end.since(self.operation.start_timestamp),
            None => self.fail("has not ended"),
        }
    }

    #[track_caller]
    fn ended(self, expected: OperationStatus) -> Self {
        let status = self.operation.status;
        self.check(status == expected, || match self.error() {
            Some(error) => format!("was to be {expected:?}, and is {status:?}: {error}"),
            None => format!("was to be {expected:?}, and is {status:?}"),
        })
    }

    fn payload(&self) -> Option<&Payload> {
        let it = self.operation;
        it.step_details
            .as_ref()
            .and_then(|details| details.result.as_ref())
            .or_else(|| it.context_details.as_ref()?.result.as_ref())
            .or_else(|| it.callback_details.as_ref()?.result.as_ref())
            .or_else(|| it.chained_invoke_details.as_ref()?.result.as_ref())
    }

    fn error(&self) -> Option<&ErrorObject> {
        let it = self.operation;
        it.step_details
            .as_ref()
            .and_then(|details| details.error.as_ref())
            .or_else(|| it.context_details.as_ref()?.error.as_ref())
            .or_else(|| it.callback_details.as_ref()?.error.as_ref())
            .or_else(|| it.chained_invoke_details.as_ref()?.error.as_ref())
    }

    #[track_caller]
    fn check(self, holds: bool, message: impl FnOnce() -> String) -> Self {
        if !holds {
            self.fail(&message());
        }
        self
    }

    #[track_caller]
    fn fail(self, message: &str) -> ! {
        let name = self.operation.name.as_deref().unwrap_or_default();
        self.history.fail(&format!("{} `{name}` {message}", self.operation.operation_type))
    }
}
