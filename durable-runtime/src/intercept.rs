//! A seam in front of the bodies of steps: for test kits, which replace them or decide when they begin.

use std::{fmt, sync::Arc};

use serde::Serialize;

use crate::{
    StepInfo,
    codec::{Outcome, encode_error},
    serdes::SerdesError,
    service::BoxFuture,
    value::DurableError,
};

/// Asked before each attempt of each step, and before each check of a condition.
///
/// Everything around the body stays as it is: the record, the retry policy, the time limit.
pub trait StepInterceptor: Send + Sync {
    /// What happens before the body of this attempt: nothing (`None`), or something to wait for. What is waited
    /// for runs as a part of the attempt, within its time limit, and may give an outcome to take instead of the
    /// body's. The body then never begins.
    fn before(&self, attempt: &StepInfo) -> Option<BoxFuture<'static, Option<Fake>>>;
}

/// What a body is replaced by: how the attempt ends.
#[derive(Clone, Debug)]
pub struct Fake {
    outcome: Outcome,
    type_name: &'static str,
}

impl Fake {
    /// An attempt that ends in `result`. The step reads it as a value of its own type.
    ///
    /// # Errors
    ///
    /// The value or the error can't be written as JSON.
    pub fn new<T: Serialize, E: DurableError>(result: &Result<T, E>) -> Result<Self, SerdesError> {
        let outcome = match result {
            Ok(value) => {
                let json = serde_json::to_string(value).map_err(|error| SerdesError(error.to_string()))?;
                Outcome::Succeeded(Some(json.into()))
            }
            Err(error) => Outcome::Failed(encode_error(error)?),
        };
        Ok(Self { outcome, type_name: std::any::type_name::<Result<T, E>>() })
    }

    /// How the attempt ends, values as JSON.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Why this is no end of `step`, whose body gives `wanted`.
    pub(crate) fn misfit(&self, step: &str, wanted: &str, cause: &SerdesError) -> String {
        format!(
            "the fake of {step} gives a `{}`, which can't stand for the step's `{wanted}`: {cause}",
            self.type_name
        )
    }
}

/// A shared [`StepInterceptor`], as a part of [`Options`](crate::environment::Options).
#[derive(Clone)]
pub struct Interceptor(Arc<dyn StepInterceptor>);

impl Interceptor {
    /// Shares `interceptor`.
    pub fn new(interceptor: Arc<dyn StepInterceptor>) -> Self {
        Self(interceptor)
    }

    pub(crate) fn before(&self, attempt: &StepInfo) -> Option<BoxFuture<'static, Option<Fake>>> {
        self.0.before(attempt)
    }
}

impl fmt::Debug for Interceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interceptor")
    }
}
