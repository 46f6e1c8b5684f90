//! Steps: user code that runs once and is recorded.

use std::{borrow::Cow, future::Future, marker::PhantomData, time::Duration};

use super::step_machine::{StepMachine, perform};
use crate::{
    codec::{Codec, Outcome},
    error::Interrupted,
    graph::Node,
    operation::{DurableOperation, only_inside},
    operations::{
        attempt::current_step,
        saga::{Compensated, Perform, Undo, compensated_call},
    },
    protocol::OperationId,
    retry::RetryPolicy,
    scope::Cx,
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

    pub(super) fn policy(&self) -> RetryPolicy {
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

    /// What undoes the step `id`, which has ended in `outcome`, a success.
    fn compensation(&mut self, _id: &OperationId, _outcome: &Outcome) -> Option<Perform> {
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

    fn compensation(&mut self, id: &OperationId, outcome: &Outcome) -> Option<Perform> {
        self.0.compensation(id, outcome)
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
        perform(StepMachine::claim(cx, self.name, B::NAME, self.options), self.body)
    }
}
only_inside!([B: StepBody] Step<B>, B::Output);

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
