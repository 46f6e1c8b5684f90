//! Conditions: a step that is run again and again, with durable waits in between, until its state will do.

use std::{future::Future, time::Duration};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{
    codec::{Codec as _, Outcome, decode_error, encode_error},
    core::{identity::unit_interval, outbox::Urgency},
    error::{ConditionExhausted, Interrupted},
    operation::{DurableOperation, only_inside},
    operations::{
        attempt::Attempt,
        settle::{outcome_of, settle_step},
        step::{Step, StepBody},
    },
    plugin::AttemptInfo,
    protocol::{
        ErrorObject, OperationAction, OperationStatus, OperationType, Payload, StepOptions, sub_type,
    },
    retry::{Jitter, RetryPolicy, seconds_ceil},
    scope::{Cx, Identity},
    serdes::{Json, Serdes, SerdesError, about},
    service::BoxFuture,
    value::{DurableError, DurableValue},
};

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition<S> {
    /// It holds; this is the result.
    Met(S),
    /// Not yet; the next check is given this state.
    NotYet(S),
}

/// Calls the step `check` with the state of the previous check until it finds the condition met, waiting
/// durably in between.
///
/// Default strategy, as in AWS's SDKs: 60 checks, 5 s growing by 1.5 up to 5 minutes, full jitter. An error
/// of `check` is final. When no check is left, the error is made from [`ConditionExhausted`].
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_step]
/// async fn poll_build(build: u64) -> Result<Condition<u64>, Error> {
///     Ok(if build > 3 { Condition::Met(build) } else { Condition::NotYet(build + 1) })
/// }
///
/// #[durable_execution]
/// async fn built() -> Result<u64, Error> {
///     wait_for_condition(0, poll_build).every("2s").max_attempts(10).await
/// }
/// ```
pub fn wait_for_condition<'a, S, F, B, E>(initial: S, mut check: F) -> WaitForCondition<'a, S, E>
where
    S: DurableValue + 'a,
    F: FnMut(S) -> Step<B> + Send + 'a,
    B: StepBody<Output = Result<Condition<S>, E>> + 'a,
    E: DurableError + From<ConditionExhausted> + 'a,
{
    WaitForCondition {
        settings: Settings {
            name: None,
            strategy: Strategy::Policy(RetryPolicy {
                max_attempts: 60,
                initial_delay: Duration::from_secs(5),
                backoff: 1.5,
                max_delay: Duration::from_secs(300),
                jitter: Jitter::Full,
                retry_if: None,
            }),
            max_attempts: None,
            invalid: None,
            write: Json::serialize,
            read: Json::deserialize,
        },
        begin: Box::new(move |cx, settings| {
            match (settings.write)(&initial) {
                Ok(_) => {
                    // The name is the check's own, so the first check is made before the identity is claimed.
                    let (check_name, first) = cx.enter(|| check(initial)).into_parts();
                    let name = settings.name.clone().unwrap_or_else(|| check_name.into());
                    let identity = cx.claim(OperationType::Step, sub_type::WAIT_FOR_CONDITION, Some(name));
                    let machine = ConditionMachine { cx, identity, settings };
                    Box::pin(poll_until_met(machine, first, check))
                }
                Err(error) => Box::pin(async move {
                    let message = format!("the initial state of a condition can't be stored: {error}");
                    cx.fail(ErrorObject::new("WaitForConditionError", message)).await
                }),
            }
        }),
    }
}

/// See [`wait_for_condition`].
///
/// Everything that may be wrong with it is said where it is made, so this type itself is always an operation.
#[must_use = "a durable operation does nothing unless awaited"]
pub struct WaitForCondition<'a, S, E> {
    settings: Settings<S>,
    begin: Begin<'a, S, E>,
}

type Begin<'a, S, E> = Box<dyn FnOnce(Cx, Settings<S>) -> BoxFuture<'a, Result<S, E>> + Send + 'a>;

struct Settings<S> {
    write: fn(&S) -> Result<String, SerdesError>,
    read: fn(&str) -> Result<S, SerdesError>,
    name: Option<CompactString>,
    strategy: Strategy<S>,
    max_attempts: Option<u32>,
    invalid: Option<String>,
}

enum Strategy<S> {
    Policy(RetryPolicy),
    Custom(fn(&S, u32) -> Option<Duration>),
}

impl<S, E> std::fmt::Debug for WaitForCondition<'_, S, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaitForCondition").field("name", &self.settings.name).finish_non_exhaustive()
    }
}

impl<S, E> WaitForCondition<'_, S, E> {
    /// Records the condition under this name instead of the check's.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.settings.name = Some(name.into().into());
        self
    }

    /// Checks at a fixed interval, in whole seconds, rounded up.
    pub fn every(mut self, interval: impl crate::duration::IntoDuration) -> Self {
        match interval.into_duration() {
            Ok(interval) => self.backoff(RetryPolicy {
                max_attempts: 60,
                initial_delay: Duration::from_secs(seconds_ceil(interval)),
                max_delay: Duration::from_secs(seconds_ceil(interval)),
                backoff: 1.0,
                jitter: Jitter::None,
                retry_if: None,
            }),
            Err(message) => {
                self.settings.invalid = Some(message);
                self
            }
        }
    }

    /// Checks by a policy; its `retry_if` is not used.
    pub fn backoff(mut self, policy: RetryPolicy) -> Self {
        self.settings.strategy = Strategy::Policy(policy);
        self
    }

    /// Checks when `strategy` says: given the state and the number of checks so far, the delay before the
    /// next one, or `None` to give up.
    pub fn strategy(mut self, strategy: fn(&S, u32) -> Option<Duration>) -> Self {
        self.settings.strategy = Strategy::Custom(strategy);
        self
    }

    /// Stores the state between two checks, and the result, with another serdes.
    pub fn serdes<R: Serdes<S>>(mut self) -> Self {
        self.settings.write = R::serialize;
        self.settings.read = R::deserialize;
        self
    }

    /// Gives up after this many checks.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = Some(attempts);
        self
    }
}

#[diagnostic::do_not_recommend]
impl<S: Send, E> DurableOperation for WaitForCondition<'_, S, E> {
    type Output = Result<S, E>;

    fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
        (self.begin)(cx, self.settings)
    }
}
only_inside!([S: Send, E] WaitForCondition<'_, S, E>, Result<S, E>);

async fn poll_until_met<S, F, B, E>(machine: ConditionMachine<S>, first: B, mut check: F) -> Result<S, E>
where
    S: DurableValue,
    F: FnMut(S) -> Step<B> + Send,
    B: StepBody<Output = Result<Condition<S>, E>>,
    E: DurableError + From<ConditionExhausted>,
{
    let mut first = Some(first);
    let id = &machine.identity.id;
    if let Some(message) = &machine.settings.invalid {
        machine.fail(format!("the interval of {} is wrong: {message}", machine.identity.describe())).await;
    }
    loop {
        let (state, attempt) = match machine.next().await {
            Next::Recorded(outcome) => return machine.decode(&outcome).await,
            Next::Check { state, attempt } => (state, attempt),
        };
        let mut body = match (state, first.take()) {
            // The first check got the initial state when it was made.
            (None, Some(body)) => body,
            (None, None) => machine.fail("the state between two checks is gone".to_owned()).await,
            (Some(state), _) => match about(id, || (machine.settings.read)(&state)) {
                Ok(state) => machine.cx.enter(|| check(state)).into_parts().1,
                Err(error) => machine.unusable(error).await,
            },
        };
        let running = machine.cx.announce_attempt(&machine.identity, Some(attempt), false);
        let ended = match machine.cx.intercept(&machine.identity, attempt) {
            Some(before) => machine.run(attempt, running.as_ref(), before).await,
            None => Ok(None),
        };
        let ended = match ended {
            Ok(None) => machine.run(attempt, running.as_ref(), Box::pin(body.attempt(true))).await,
            Ok(Some(fake)) => match B::Codec::decode_json(fake.outcome()) {
                Ok(output) => Ok(output),
                Err(cause) => {
                    machine
                        .fail(fake.misfit(
                            &machine.identity.describe(),
                            std::any::type_name::<B::Output>(),
                            &cause,
                        ))
                        .await
                }
            },
            Err(interrupted) => Err(interrupted),
        };
        let write = |state: &S| about(id, || (machine.settings.write)(state));
        let write_error = |error: &E| about(id, || encode_error(error)).map(Outcome::Failed);
        let outcome = match ended {
            Ok(Ok(Condition::Met(state))) => write(&state).map(|text| Outcome::Succeeded(Some(text.into()))),
            Ok(Ok(Condition::NotYet(state))) => match (write(&state), machine.delay(&state, attempt)) {
                (Ok(text), Some(seconds)) => {
                    let state = Payload::from(text);
                    machine.cx.announce_attempt_end(running, &Outcome::Succeeded(Some(state.clone())));
                    machine.again(state, seconds).await;
                    continue;
                }
                (Ok(_), None) => write_error(&E::from(machine.exhausted(attempt))),
                (Err(error), _) => Err(error),
            },
            Ok(Err(error)) => write_error(&error),
            Err(interrupted) => match B::interrupted(interrupted.clone()) {
                Some(Err(error)) => write_error(&error),
                _ => Ok(Outcome::Failed(ErrorObject::new("Interrupted", interrupted.to_string()))),
            },
        };
        match outcome {
            Ok(outcome) => {
                machine.cx.announce_attempt_end(running, &outcome);
                if let Err(error) = settle_step(&machine.cx, &machine.identity, &outcome) {
                    machine.cx.fail(error).await;
                }
                return machine.decode(&outcome).await;
            }
            Err(error) => machine.unusable(error).await,
        }
    }
}

enum Next {
    Recorded(Outcome),
    Check { state: Option<Payload>, attempt: u32 },
}

struct ConditionMachine<S> {
    cx: Cx,
    identity: Identity,
    settings: Settings<S>,
}

impl<S: DurableValue> ConditionMachine<S> {
    /// Waits until a check is due; gives the state that the previous one left.
    async fn next(&self) -> Next {
        let recorded = self
            .cx
            .until(&self.identity.id, |operation| match operation {
                Some(operation) if operation.status == OperationStatus::Pending => None,
                Some(operation) => {
                    let step = operation.step_details.clone().unwrap_or_default();
                    Some(Some((
                        operation.status,
                        step.attempt.unwrap_or(0),
                        step.result,
                        outcome_of(operation),
                    )))
                }
                None => Some(None),
            })
            .await;
        let barrier = self.cx.barrier();
        let (start_first, state, attempt) = match recorded {
            Some((_, _, _, Some(outcome))) => return Next::Recorded(outcome),
            Some((status, finished, state, None)) => {
                (status != OperationStatus::Started, state.filter(|state| !state.is_empty()), finished + 1)
            }
            None => (true, None, 1),
        };
        if start_first {
            self.cx.push(self.identity.update(OperationAction::Start), Urgency::Lazy);
        }
        self.cx.permission(barrier).await;
        Next::Check { state, attempt }
    }

    async fn run<O>(
        &self,
        attempt: u32,
        announced: Option<&AttemptInfo>,
        body: BoxFuture<'_, O>,
    ) -> Result<O, Interrupted> {
        let running = Attempt::begin(&self.cx, &self.identity, attempt, None, announced, body);
        running.await.map_err(|reason| Interrupted {
            step: self.identity.name.as_deref().unwrap_or_default().to_owned(),
            attempt,
            reason,
        })
    }

    fn delay(&self, state: &S, attempt: u32) -> Option<u64> {
        if self.settings.max_attempts.is_some_and(|max| attempt >= max) {
            return None;
        }
        match &self.settings.strategy {
            Strategy::Custom(strategy) => strategy(state, attempt).map(|delay| seconds_ceil(delay).max(1)),
            Strategy::Policy(policy)
                if self.settings.max_attempts.is_none() && attempt >= policy.max_attempts =>
            {
                None
            }
            Strategy::Policy(policy) => {
                let random = unit_interval(&self.cx.run().arn, &self.identity.id, u64::from(attempt));
                Some(policy.delay(attempt, random))
            }
        }
    }

    /// Records the state and waits until the next check is due.
    async fn again(&self, state: Payload, seconds: u64) {
        let mut retry = self.identity.update(OperationAction::Retry);
        retry.payload = Some(state);
        retry.step_options = Some(StepOptions { next_attempt_delay_seconds: seconds });
        let sequence = self.cx.push(retry, Urgency::Urgent);
        self.cx.durable(sequence).await;
    }

    fn exhausted(&self, attempts: u32) -> ConditionExhausted {
        ConditionExhausted { name: self.identity.name.as_deref().unwrap_or_default().to_owned(), attempts }
    }

    async fn decode<E: DurableError>(&self, outcome: &Outcome) -> Result<S, E> {
        let decoded = about(&self.identity.id, || match outcome {
            Outcome::Succeeded(payload) => {
                (self.settings.read)(payload.as_ref().map_or("null", Payload::as_str)).map(Ok)
            }
            Outcome::Failed(error) => decode_error(error).map(Err),
        });
        match decoded {
            Ok(value) => value,
            Err(error) => self.unusable(error).await,
        }
    }

    async fn unusable(&self, error: impl std::fmt::Display) -> ! {
        self.fail(format!("the record of {} can't be used: {error}", self.identity.describe())).await
    }

    async fn fail(&self, message: String) -> ! {
        self.cx.fail(ErrorObject::new("WaitForConditionError", message)).await
    }
}
