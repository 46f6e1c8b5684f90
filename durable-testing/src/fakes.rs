//! What stands in for the bodies of steps.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use durable_runtime::{
    DurableError, StepInfo,
    intercept::{Fake, StepInterceptor},
    service::BoxFuture,
};
use serde::Serialize;

use crate::gate::{Arrival, Gates};

type Body = Arc<dyn Fn(StepInfo) -> BoxFuture<'static, Fake> + Send + Sync>;

/// The fakes of an engine, by the names of the steps, and the gates before all steps.
#[derive(Default)]
pub(crate) struct Fakes {
    by_name: Mutex<Vec<(String, Body)>>,
    gates: Option<Arc<Gates>>,
}

impl fmt::Debug for Fakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fakes")
    }
}

impl Fakes {
    pub(crate) fn behind(gates: Option<Arc<Gates>>) -> Self {
        Self { gates, ..Self::default() }
    }

    /// Sets the fake of a step; a later one replaces an earlier one.
    pub(crate) fn set<T, E, Fut>(&self, step: String, fake: impl Fn(StepInfo) -> Fut + Send + Sync + 'static)
    where
        T: Serialize + Send,
        E: DurableError,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let name = step.clone();
        let body: Body = Arc::new(move |attempt| {
            let ends = fake(attempt);
            let name = name.clone();
            Box::pin(async move {
                Fake::new(&ends.await)
                    .unwrap_or_else(|error| panic!("the fake of step `{name}` can't be written: {error}"))
            })
        });
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.retain(|(known, _)| *known != step);
        by_name.push((step, body));
    }

    fn find(&self, step: &str) -> Option<Body> {
        let by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        by_name.iter().find(|(name, _)| name == step).map(|(_, body)| Arc::clone(body))
    }
}

impl StepInterceptor for Fakes {
    fn before(&self, attempt: &StepInfo) -> Option<BoxFuture<'static, Option<Fake>>> {
        let fake = self.find(&attempt.name);
        let gates = self.gates.clone();
        if fake.is_none() && gates.is_none() {
            return None;
        }
        let attempt = attempt.clone();
        Some(Box::pin(async move {
            if let Some(gates) = gates {
                gates.pass(Arrival::Step { name: attempt.name.to_string(), attempt: attempt.attempt }).await;
            }
            match fake {
                // Called here, so that it is inside its step: `current_step`, `effect`.
                Some(fake) => Some(fake(attempt).await),
                None => None,
            }
        }))
    }
}
