//! Steps: user code that runs once and is recorded.
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

use std::{borrow::Cow, future::Future, marker::PhantomData, time::Duration};

use compact_str::CompactString;

use crate::{
    codec::{Codec, Outcome},
    core::{identity::unit_interval, outbox::Urgency},
    error::{Interrupted, Interruption},
    graph::Node,
    intercept::Fake,
    operation::{DurableOperation, only_inside},
    operations::{
        attempt::{Attempt, current_step},
        saga::{Compensated, Perform, Undo, compensated_call},
        settle::{fit_error, outcome_of, settle_step},
    },
    plugin::AttemptInfo,
    protocol::{
        ErrorObject, OperationAction, OperationStatus, OperationType, StepOptions as RetryDelay, sub_type,
    },
    retry::RetryPolicy,
    scope::{Cx, Identity},
    value::{Arguments, FromInterrupted},
};

/// Where a durable function is declared.
#[doc(hidden)]
#[derive(Debug)]
pub struct Meta {
    pub name: &'static str,
    pub file: &'static str,
    pub line: u32,
    /// Of an execution: what `version = ..` says, else 1.
    pub version: u32,
    /// Of an execution: its shape.
    pub graph: &'static [Node],
}

#[doc(hidden)]
pub trait HasMeta {
    const META: &'static Meta;
}

/// How a step behaves.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct StepOptions {
    /// `None`: AWS's default, or a single attempt for an at-most-once step.
    pub retry: Option<RetryPolicy>,
    pub at_most_once: bool,
    /// For each attempt.
    pub timeout: Option<Duration>,
    /// Instead of the function's name.
    pub name: Option<&'static str>,
}

impl StepOptions {
    pub const DEFAULT: Self = Self { retry: None, at_most_once: false, timeout: None, name: None };

    fn policy(&self) -> RetryPolicy {
        self.retry.unwrap_or(if self.at_most_once { RetryPolicy::NONE } else { RetryPolicy::AWS_DEFAULT })
    }
}

/// What a step does in each attempt.
#[doc(hidden)]
pub trait StepBody: Send {
    type Output: Send;
    type Codec: Codec<Self::Output>;
    type Attempt: Future<Output = Self::Output> + Send;
    /// What the step is called when nobody names it.
    const NAME: &'static str;
    /// Whether more than one attempt can be begun.
    const REPEATABLE: bool = true;

    /// Begins an attempt; `last` says that there will be no other one.
    fn attempt(&mut self, last: bool) -> Self::Attempt;

    /// The answer of a step whose last attempt was interrupted, if its error type can say so.
    fn interrupted(_: Interrupted) -> Option<Self::Output> {
        None
    }

    /// What undoes the step, which has ended in `outcome`, a success.
    fn compensation(&mut self, _outcome: &Outcome) -> Option<Perform> {
        None
    }
}

/// A step that may be tried again: each attempt gets its own copy of the arguments, the last one the
/// arguments themselves.
#[doc(hidden)]
pub struct Repeat<M, K, A, F> {
    arguments: Option<A>,
    function: F,
    _types: PhantomData<fn() -> (M, K)>,
}

/// A step that is tried once, so that its arguments need not be `Clone`.
#[doc(hidden)]
pub struct Once<M, K, A, F> {
    arguments: Option<A>,
    function: F,
    _types: PhantomData<fn() -> (M, K)>,
}

#[doc(hidden)]
pub fn repeat<M, K, A, F>(_: M, _: K, arguments: A, function: F) -> Repeat<M, K, A, F> {
    Repeat { arguments: Some(arguments), function, _types: PhantomData }
}

#[doc(hidden)]
pub fn once<M, K, A, F>(_: M, _: K, arguments: A, function: F) -> Once<M, K, A, F> {
    Once { arguments: Some(arguments), function, _types: PhantomData }
}

const HAS_ARGUMENTS: &str = "the last attempt takes the arguments and is the last";

impl<M, K, A, F, Fut> StepBody for Repeat<M, K, A, F>
where
    M: HasMeta,
    K: Codec<Fut::Output>,
    A: Arguments,
    F: FnMut(A) -> Fut + Send,
    Fut: Future<Output: Send> + Send,
{
    type Output = Fut::Output;
    type Codec = K;
    type Attempt = Fut;
    const NAME: &'static str = M::META.name;

    fn attempt(&mut self, last: bool) -> Fut {
        let arguments = if last { self.arguments.take() } else { self.arguments.as_ref().map(A::copy) };
        (self.function)(arguments.expect(HAS_ARGUMENTS))
    }
}

impl<M, K, A, F, Fut> StepBody for Once<M, K, A, F>
where
    M: HasMeta,
    K: Codec<Fut::Output>,
    A: Send,
    F: FnMut(A) -> Fut + Send,
    Fut: Future<Output: Send> + Send,
{
    type Output = Fut::Output;
    type Codec = K;
    type Attempt = Fut;
    const NAME: &'static str = M::META.name;
    const REPEATABLE: bool = false;

    fn attempt(&mut self, _: bool) -> Fut {
        (self.function)(self.arguments.take().expect(HAS_ARGUMENTS))
    }
}

/// A step in place: its body captures what it needs.
#[doc(hidden)]
pub struct Inline<K, F> {
    function: F,
    _codec: PhantomData<fn() -> K>,
}

impl<K, F, Fut> StepBody for Inline<K, F>
where
    K: Codec<Fut::Output>,
    F: FnMut() -> Fut + Send,
    Fut: Future<Output: Send> + Send,
{
    type Output = Fut::Output;
    type Codec = K;
    type Attempt = Fut;
    // `step!` always names its step.
    const NAME: &'static str = "";

    fn attempt(&mut self, _: bool) -> Fut {
        (self.function)()
    }
}

/// A step whose error type can say that it was interrupted.
#[doc(hidden)]
pub struct Interruptible<B>(B);

#[doc(hidden)]
pub const fn interruptible<B>(body: B) -> Interruptible<B> {
    Interruptible(body)
}

impl<T: Send, E: FromInterrupted + Send, B: StepBody<Output = Result<T, E>>> StepBody for Interruptible<B> {
    type Output = Result<T, E>;
    type Codec = B::Codec;
    type Attempt = B::Attempt;
    const NAME: &'static str = B::NAME;
    const REPEATABLE: bool = B::REPEATABLE;

    fn attempt(&mut self, last: bool) -> B::Attempt {
        self.0.attempt(last)
    }

    fn interrupted(interrupted: Interrupted) -> Option<Result<T, E>> {
        Some(Err(E::from(interrupted)))
    }

    fn compensation(&mut self, outcome: &Outcome) -> Option<Perform> {
        self.0.compensation(outcome)
    }
}

/// A call of a `#[durable_step]` function, or of `step!`: does nothing until it is awaited in durable code.
#[must_use = "a durable step does nothing unless awaited in a durable execution"]
pub struct Step<B> {
    /// Instead of the body's own.
    name: Option<Cow<'static, str>>,
    options: StepOptions,
    body: B,
}

impl<B> std::fmt::Debug for Step<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step").field("name", &self.name).finish_non_exhaustive()
    }
}

#[doc(hidden)]
pub fn inline_step<K, F>(name: &'static str, options: StepOptions, _: K, function: F) -> Step<Inline<K, F>> {
    Step { name: Some(Cow::Borrowed(name)), options, body: Inline { function, _codec: PhantomData } }
}

#[doc(hidden)]
pub fn inline_step_interruptible<K, F>(
    name: &'static str,
    options: StepOptions,
    _: K,
    function: F,
) -> Step<Interruptible<Inline<K, F>>> {
    let body = Interruptible(Inline { function, _codec: PhantomData });
    Step { name: Some(Cow::Borrowed(name)), options, body }
}

impl<B> Step<B> {
    #[doc(hidden)]
    pub const fn new(options: StepOptions, body: B) -> Self {
        let name = match options.name {
            Some(name) => Some(Cow::Borrowed(name)),
            None => None,
        };
        Self { name, options, body }
    }

    /// Records this call under another name: 1 to 256 printable ASCII characters. The name is part of the
    /// step's identity, so it must be the same on every replay.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }
}

impl<B: StepBody> Step<B> {
    /// Retries this call by another policy. A step that is declared with a single attempt can't be: that does
    /// not compile.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        const {
            assert!(
                B::REPEATABLE,
                "this step is declared with a single attempt, so it can't be given a retry policy; \
                 declare the policy with `#[durable_step(retry(..))]`"
            );
        }
        self.options.retry = Some(policy);
        self
    }

    /// Says what undoes this call when the work around it fails: as `#[durable_step(compensate = ..)]` does for
    /// every call, but with a closure that may own what else it needs.
    ///
    /// ```
    /// use durable_runtime::prelude::*;
    ///
    /// # #[durable_step] async fn charge(order: u64) -> Result<String, Error> { Ok(order.to_string()) }
    /// # #[durable_step] async fn refund(order: u64, receipt: String) -> Result<(), Error> { Ok(()) }
    /// # #[durable_step] async fn ship(order: u64) -> Result<String, Error> { Ok(order.to_string()) }
    /// #[durable_execution]
    /// async fn checkout(order: u64) -> Result<String, Error> {
    ///     charge(order).compensate(move |receipt| refund(order, receipt)).await?;
    ///     ship(order).await // when this fails, the charge is refunded
    /// }
    /// ```
    pub fn compensate<F, U, T, E>(self, undo: F) -> Step<Compensated<B>>
    where
        B: StepBody<Output = Result<T, E>>,
        T: 'static,
        F: FnOnce(T) -> U + Send + 'static,
        U: Undo,
    {
        Step { name: self.name, options: self.options, body: compensated_call(self.body, undo) }
    }

    pub(crate) fn into_parts(self) -> (Cow<'static, str>, B) {
        (self.name.unwrap_or(Cow::Borrowed(B::NAME)), self.body)
    }

    /// Runs the body once as plain code, recording nothing: for unit tests of the body alone.
    pub async fn run_unrecorded(mut self) -> B::Output {
        self.body.attempt(true).await
    }
}

#[diagnostic::do_not_recommend]
impl<B: StepBody> DurableOperation for Step<B> {
    type Output = B::Output;

    fn start(self, cx: Cx) -> impl Future<Output = B::Output> + Send {
        let options = self.options;
        let (name, body) = self.into_parts();
        let name = match name {
            // Points at the text instead of copying a long one.
            Cow::Borrowed(name) => CompactString::const_new(name),
            Cow::Owned(name) => CompactString::from(name),
        };
        let identity = cx.claim(OperationType::Step, sub_type::STEP, Some(name));
        perform(StepMachine { cx, identity, options, attempt: 1, running: None }, body)
    }
}
only_inside!([B: StepBody] Step<B>, B::Output);

/// The part that depends on the step's types; everything else is in [`StepMachine`].
async fn perform<B: StepBody>(mut machine: StepMachine, mut body: B) -> B::Output {
    loop {
        let ended = match machine.next().await {
            Next::Recorded(outcome) => return machine.finish(body, &outcome).await,
            Next::Interrupted => Err(Interruption::ProcessEnded),
            Next::Run { last } => match machine.intercepted().await {
                Ok(None) => machine.begin(body.attempt(last)).await,
                Ok(Some(fake)) => match B::Codec::decode_json(fake.outcome()) {
                    Ok(output) => Ok(output),
                    Err(cause) => machine.misfit(fake.misfit::<B::Output>(&machine.describe(), &cause)).await,
                },
                Err(interruption) => Err(interruption),
            },
        };
        let settled = match ended {
            Ok(output) => match B::Codec::encode(&output) {
                Ok(outcome) => machine.settle(outcome).await,
                Err(error) => machine.unusable("can't be written", error).await,
            },
            Err(interruption) => {
                let interrupted = machine.interrupted(interruption);
                let error = ErrorObject::new("Interrupted", interrupted.to_string());
                let outcome = B::interrupted(interrupted).map(|output| B::Codec::encode(&output));
                match outcome {
                    Some(Ok(outcome)) => machine.settle(outcome).await,
                    Some(Err(error)) => machine.unusable("can't be written", error).await,
                    None => machine.settle(Outcome::Failed(error)).await,
                }
            }
        };
        if let Some(outcome) = settled {
            return machine.finish(body, &outcome).await;
        }
    }
}

enum Next {
    Recorded(Outcome),
    Interrupted,
    Run { last: bool },
}

/// One step's way from START to its end, without its types.
struct StepMachine {
    cx: Cx,
    identity: Identity,
    options: StepOptions,
    attempt: u32,
    /// What plugins were told of the running attempt.
    running: Option<AttemptInfo>,
}

impl StepMachine {
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

    fn begin<F: Future>(&mut self, body: F) -> Attempt<F> {
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

    /// The step's value, decoded from what is stored, so that the first run sees what every replay will.
    async fn finish<B: StepBody>(&self, mut body: B, outcome: &Outcome) -> B::Output {
        if let Outcome::Succeeded(_) = outcome
            && let Some(perform) = body.compensation(outcome)
        {
            self.cx.register_compensation(&self.identity.id, perform);
        }
        match B::Codec::decode(outcome) {
            Ok(value) => value,
            Err(error) => self.unusable("does not fit its type", error).await,
        }
    }

    fn describe(&self) -> String {
        self.identity.describe()
    }

    async fn misfit(&self, message: String) -> ! {
        self.cx.fail(ErrorObject::new("StepError", message)).await
    }

    async fn unusable(&self, what: &str, error: impl std::fmt::Display) -> ! {
        let message = format!("the record of {} {what}: {error}", self.identity.describe());
        self.cx.fail(ErrorObject::new("StepError", message)).await
    }
}

/// The number of the running attempt of the current step, counted from 1; `None` outside of a step.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_step]
/// async fn poke() -> Result<u32, Error> {
///     match step_attempt() {
///         Some(1) => Err(Error::new("not yet")),
///         attempt => Ok(attempt.unwrap_or_default()),
///     }
/// }
/// ```
#[must_use]
pub fn step_attempt() -> Option<u32> {
    current_step().map(|step| step.attempt)
}
