//! A step's way from START to its end. It is compiled once: of a step's own types, a program that has hundreds of them
//! gets no more than [`Typed`] for each.
//!
//! ```text
//! recorded as       what happens here
//! ---------------   -----------------------------------------------------------------------
//! SUCCEEDED FAILED  the stored outcome, decoded
//! PENDING           wait until READY
//! READY             START, run attempt n + 1
//! STARTED           at least once: run again without a START; at most once: an interruption
//! nothing           START, run attempt 1
//!
//! an attempt ends   SUCCEED, or FAIL when no attempt is left, else RETRY and wait until READY
//! ```

use std::borrow::Cow;

use compact_str::CompactString;

use super::step::{StepBody, StepOptions};
use crate::{
    codec::{Codec, Outcome},
    core::{identity::unit_interval, outbox::Urgency},
    error::{Interrupted, Interruption},
    intercept::Fake,
    operations::{
        attempt::Attempt,
        saga::Perform,
        settle::{fit_error, outcome_of, settle_step},
    },
    plugin::AttemptInfo,
    protocol::{
        ErrorObject, OperationAction, OperationId, OperationStatus, OperationType, StepOptions as RetryDelay,
        sub_type,
    },
    scope::{Cx, Identity},
    serdes::{SerdesError, about},
    service::BoxFuture,
};

/// The part that depends on the step's types.
pub(super) async fn perform<B: StepBody>(machine: StepMachine, body: B) -> B::Output {
    let mut step = Typed { body, output: None };
    machine.run(&mut step).await;
    step.output.expect("a step that was performed has its value")
}

struct Typed<B: StepBody> {
    body: B,
    /// What the last attempt gave, and in the end the step's value.
    output: Option<B::Output>,
}

/// What the machine asks of a step.
trait Erased: Send {
    /// Begins an attempt, whose output is kept; `last` says that there will be no other one.
    fn attempt(&mut self, last: bool) -> BoxFuture<'_, ()>;

    /// Takes the outcome of a fake for the output of an attempt.
    fn pretend(&mut self, outcome: &Outcome) -> Result<(), SerdesError>;

    /// What the output is recorded as.
    fn encode(&mut self) -> Result<Outcome, SerdesError>;

    /// What an interruption is recorded as, if the error type can say so.
    fn interrupted(&self, interrupted: Interrupted) -> Option<Result<Outcome, SerdesError>>;

    /// Takes what is recorded for the step's value.
    fn decode(&mut self, outcome: &Outcome) -> Result<(), SerdesError>;

    fn compensation(&mut self, id: &OperationId, outcome: &Outcome) -> Option<Perform>;

    fn output_type(&self) -> &'static str;
}

impl<B: StepBody> Erased for Typed<B> {
    fn attempt(&mut self, last: bool) -> BoxFuture<'_, ()> {
        let attempt = self.body.attempt(last);
        Box::pin(async { self.output = Some(attempt.await) })
    }

    fn pretend(&mut self, outcome: &Outcome) -> Result<(), SerdesError> {
        self.output = Some(B::Codec::decode_json(outcome)?);
        Ok(())
    }

    fn encode(&mut self) -> Result<Outcome, SerdesError> {
        let output = self.output.take().expect("an attempt that ended has given something");
        B::Codec::encode(&output)
    }

    fn interrupted(&self, interrupted: Interrupted) -> Option<Result<Outcome, SerdesError>> {
        B::interrupted(interrupted).map(|output| B::Codec::encode(&output))
    }

    fn decode(&mut self, outcome: &Outcome) -> Result<(), SerdesError> {
        self.output = Some(B::Codec::decode(outcome)?);
        Ok(())
    }

    fn compensation(&mut self, id: &OperationId, outcome: &Outcome) -> Option<Perform> {
        self.body.compensation(id, outcome)
    }

    fn output_type(&self) -> &'static str {
        std::any::type_name::<B::Output>()
    }
}

/// The error type of an attempt that was cut off or panicked, where the step's own type has no value for that.
const INTERRUPTED: &str = "Interrupted";

enum Next {
    Recorded(Outcome),
    Interrupted,
    Run { last: bool },
}

/// One step's way from START to its end, without its types.
pub(super) struct StepMachine {
    cx: Cx,
    identity: Identity,
    options: StepOptions,
    attempt: u32,
    /// What plugins were told of the running attempt.
    running: Option<AttemptInfo>,
}

impl StepMachine {
    /// Claims the step's identity, at once.
    pub(super) fn claim(
        cx: Cx,
        name: Option<Cow<'static, str>>,
        otherwise: &'static str,
        options: StepOptions,
    ) -> Self {
        let name = match name {
            // Points at the text instead of copying a long one.
            Some(Cow::Borrowed(name)) => CompactString::const_new(name),
            Some(Cow::Owned(name)) => CompactString::from(name),
            None => CompactString::const_new(otherwise),
        };
        let identity = cx.claim(OperationType::Step, sub_type::STEP, Some(name));
        Self { cx, identity, options, attempt: 1, running: None }
    }

    /// Performs the step, or takes what is recorded of it; `step` has its value then. The future is erased, or it would
    /// be compiled with each program instead of with this crate.
    fn run<'a>(self, step: &'a mut (dyn Erased + 'a)) -> BoxFuture<'a, ()> {
        Box::pin(self.run_to_its_end(step))
    }

    async fn run_to_its_end(mut self, step: &mut dyn Erased) {
        let outcome = loop {
            let ended = match self.next().await {
                Next::Recorded(outcome) => break outcome,
                Next::Interrupted => Err(Interruption::ProcessEnded),
                Next::Run { last } => match self.intercepted().await {
                    Ok(None) => self.begin(step.attempt(last)).await,
                    Ok(Some(fake)) => match step.pretend(fake.outcome()) {
                        Ok(()) => Ok(()),
                        Err(cause) => {
                            let message = fake.misfit(&self.identity.describe(), step.output_type(), &cause);
                            self.cx.fail(ErrorObject::new("StepError", message)).await
                        }
                    },
                    Err(interruption) => Err(interruption),
                },
            };
            let outcome = match ended {
                Ok(()) => about(&self.identity.id, || step.encode()),
                Err(interruption) => {
                    let interrupted = self.interrupted(interruption);
                    let error = ErrorObject::new(INTERRUPTED, interrupted.to_string());
                    let answer = about(&self.identity.id, || step.interrupted(interrupted));
                    answer.unwrap_or(Ok(Outcome::Failed(error)))
                }
            };
            match outcome {
                Ok(outcome) => {
                    if let Some(outcome) = self.settle(outcome).await {
                        break outcome;
                    }
                }
                Err(error) => self.unusable("can't be written", error).await,
            }
        };
        self.finish(step, &outcome).await;
    }

    /// What is to be done now, by what is recorded.
    async fn next(&mut self) -> Next {
        let recorded = self
            .cx
            .until(&self.identity.id, |operation| match operation {
                Some(operation) if operation.status == OperationStatus::Pending => None,
                Some(operation) => Some(Some((
                    operation.status,
                    operation.step_details.as_ref().and_then(|step| step.attempt).unwrap_or(0),
                    outcome_of(operation),
                ))),
                None => Some(None),
            })
            .await;
        let start_first = match recorded {
            Some((_, _, Some(outcome))) => return Next::Recorded(outcome),
            Some((status, finished, None)) => {
                self.attempt = finished + 1;
                if status == OperationStatus::Started {
                    if self.options.at_most_once {
                        self.cx.permission(self.cx.barrier()).await;
                        return Next::Interrupted;
                    }
                    false
                } else {
                    true
                }
            }
            None => true,
        };
        // Read before the START is queued: an at-least-once body may run before its own START is durable.
        let mut barrier = self.cx.barrier();
        if start_first {
            let start = self.identity.update(OperationAction::Start);
            if self.options.at_most_once {
                barrier = self.cx.push(start, Urgency::Urgent);
            } else {
                self.cx.push(start, Urgency::Lazy);
            }
        }
        self.cx.permission(barrier).await;
        Next::Run { last: self.attempt >= self.options.policy().max_attempts }
    }

    /// Waits for who stands in front of the body, if anybody does; gives what to take instead of the body.
    async fn intercepted(&mut self) -> Result<Option<Fake>, Interruption> {
        match self.cx.intercept(&self.identity, self.attempt) {
            Some(before) => self.begin(before).await,
            None => Ok(None),
        }
    }

    fn begin<'a, O>(&mut self, body: BoxFuture<'a, O>) -> Attempt<'a, O> {
        if self.running.is_none() {
            self.running = self.cx.announce_attempt(&self.identity, Some(self.attempt), false);
        }
        let announced = self.running.as_ref();
        Attempt::begin(&self.cx, &self.identity, self.attempt, self.options.timeout, announced, body)
    }

    fn interrupted(&self, reason: Interruption) -> Interrupted {
        let step = self.identity.name.as_deref().unwrap_or_default().to_owned();
        Interrupted { step, attempt: self.attempt, reason }
    }

    /// Records the end of an attempt; gives the outcome when it is the step's, or waits for the retry.
    async fn settle(&mut self, outcome: Outcome) -> Option<Outcome> {
        self.cx.announce_attempt_end(self.running.take(), &outcome);
        if let Outcome::Failed(error) = &outcome {
            let random = unit_interval(&self.cx.run().arn, &self.identity.id, u64::from(self.attempt));
            if let Some(delay) = self.options.policy().next_delay(error, self.attempt, random) {
                let mut retry = self.identity.update(OperationAction::Retry);
                retry.error = Some(fit_error(error.clone()));
                retry.step_options = Some(RetryDelay { next_attempt_delay_seconds: delay });
                let sequence = self.cx.push(retry, Urgency::Urgent);
                // Until then the record is the one before this attempt.
                self.cx.durable(sequence).await;
                return None;
            }
        }
        if let Err(error) = settle_step(&self.cx, &self.identity, &outcome) {
            self.cx.fail(error).await;
        }
        Some(outcome)
    }

    /// The step's value is decoded from what is stored, so that the first run sees what every replay will.
    async fn finish(&self, step: &mut dyn Erased, outcome: &Outcome) {
        if let Outcome::Succeeded(_) = outcome
            && let Some(perform) = step.compensation(&self.identity.id, outcome)
        {
            self.cx.register_compensation(&self.identity.id, perform);
        }
        let Err(error) = about(&self.identity.id, || step.decode(outcome)) else { return };
        match outcome {
            // No mistake in the record: its last attempt ended in a way that its type has no value for.
            Outcome::Failed(failure) if failure.error_type.as_deref() == Some(INTERRUPTED) => {
                self.cx.fail(ErrorObject::new("StepError", failure.message())).await;
            }
            _ => self.unusable("does not fit its type", error).await,
        }
    }

    async fn unusable(&self, what: &str, error: impl std::fmt::Display) -> ! {
        let message = format!("the record of {} {what}: {error}", self.identity.describe());
        self.cx.fail(ErrorObject::new("StepError", message)).await
    }
}
