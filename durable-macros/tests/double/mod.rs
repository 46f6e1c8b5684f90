//! The smallest runtime that the expansions type-check against: it performs every operation at once and
//! records the order of their names.

#![allow(missing_docs, dead_code)]

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

pub struct Meta {
    pub name: &'static str,
    pub file: &'static str,
    pub line: u32,
    pub version: u32,
    pub graph: &'static [graph::Node],
}

pub mod graph {
    pub enum Node {
        Operation { kind: Kind, name: &'static str, line: u32 },
        Scope { kind: Kind, name: &'static str, line: u32, nodes: &'static [Self] },
        Parallel { name: &'static str, line: u32, branches: &'static [Arm] },
        Choice { label: &'static str, line: u32, arms: &'static [Arm] },
        Loop { label: &'static str, line: u32, nodes: &'static [Self] },
        Exit(Exit),
    }

    pub struct Arm {
        pub label: &'static str,
        pub nodes: &'static [Node],
    }

    pub enum Exit {
        Error,
        Return,
        Break,
        Continue,
    }

    pub enum Kind {
        Call,
        Step,
        Wait,
        Callback,
        Invoke,
        Map,
        Condition,
        Saga,
        Retry,
        Block,
        Value,
    }
}

pub trait HasMeta {
    const META: &'static Meta;
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    None,
    Half,
    Full,
}

pub struct ErrorObject;

#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    pub max_attempts: u32,
    pub initial_delay: Duration,
    pub backoff: f64,
    pub max_delay: Duration,
    pub jitter: Jitter,
    pub retry_if: Option<fn(&ErrorObject) -> bool>,
}

#[derive(Clone, Copy, Debug)]
pub struct StepOptions {
    pub retry: Option<RetryPolicy>,
    pub at_most_once: bool,
    pub timeout: Option<Duration>,
    pub name: Option<&'static str>,
    pub more: (),
}

impl StepOptions {
    pub const DEFAULT: Self = Self { retry: None, at_most_once: false, timeout: None, name: None, more: () };
}

#[derive(Debug)]
pub struct Interrupted;

// The probe: `Result`s are fallible, whatever they are called.
pub struct Probe<R>(pub PhantomData<fn() -> R>);
pub struct Fallible<S = ()>(PhantomData<S>);
pub struct Infallible<S = ()>(PhantomData<S>);

pub trait ProbeFallible {
    fn codec(&self) -> Fallible {
        Fallible(PhantomData)
    }
}
impl<T, E> ProbeFallible for &Probe<Result<T, E>> {}
pub trait ProbeInfallible {
    fn codec(&self) -> Infallible {
        Infallible(PhantomData)
    }
}
impl<R> ProbeInfallible for Probe<R> {}

pub trait Codec {
    const FALLIBLE: bool;
}
impl<S> Codec for Fallible<S> {
    const FALLIBLE: bool = true;
}
impl<S> Codec for Infallible<S> {
    const FALLIBLE: bool = false;
}
impl Fallible {
    pub fn with<S>(self) -> Fallible<S> {
        Fallible(PhantomData)
    }
}
impl Infallible {
    pub fn with<S>(self) -> Infallible<S> {
        Infallible(PhantomData)
    }
}

pub fn probe_fn<F: FnMut() -> Fut, Fut: Future<Output = O>, O>(_: &F) -> Probe<O> {
    Probe(PhantomData)
}

// Steps.
pub trait StepBody: Send {
    type Output: Send;
    const NAME: &'static str;
    const FALLIBLE: bool;
    fn attempt(self) -> impl Future<Output = Self::Output> + Send;
}

#[must_use = "a durable step does nothing unless awaited in a durable execution"]
pub struct Step<B> {
    pub options: StepOptions,
    pub body: B,
}

impl<B> Step<B> {
    pub fn new(options: StepOptions, body: B) -> Self {
        Self { options, body }
    }
}

pub struct Body<M, K, A, F, const REPEATABLE: bool>(PhantomData<fn() -> (M, K)>, A, F);

pub fn repeat<M, K, A, F>(_: M, _: K, arguments: A, f: F) -> Body<M, K, A, F, true> {
    Body(PhantomData, arguments, f)
}

pub fn once<M, K, A, F>(_: M, _: K, arguments: A, f: F) -> Body<M, K, A, F, false> {
    Body(PhantomData, arguments, f)
}

impl<M: HasMeta, K: Codec, A: Send + Clone, F: FnMut(A) -> Fut + Send, Fut: Future<Output: Send> + Send>
    StepBody for Body<M, K, A, F, true>
{
    type Output = Fut::Output;
    const NAME: &'static str = M::META.name;
    const FALLIBLE: bool = K::FALLIBLE;
    fn attempt(mut self) -> impl Future<Output = Self::Output> + Send {
        (self.2)(self.1.clone())
    }
}

impl<M: HasMeta, K: Codec, A: Send, F: FnMut(A) -> Fut + Send, Fut: Future<Output: Send> + Send> StepBody
    for Body<M, K, A, F, false>
{
    type Output = Fut::Output;
    const NAME: &'static str = M::META.name;
    const FALLIBLE: bool = K::FALLIBLE;
    fn attempt(mut self) -> impl Future<Output = Self::Output> + Send {
        (self.2)(self.1)
    }
}

pub struct Interruptible<B>(B);
pub fn interruptible<B>(body: B) -> Interruptible<B> {
    Interruptible(body)
}
impl<T: Send, E: From<Interrupted> + Send, B: StepBody<Output = Result<T, E>>> StepBody for Interruptible<B> {
    type Output = B::Output;
    const NAME: &'static str = B::NAME;
    const FALLIBLE: bool = B::FALLIBLE;
    fn attempt(self) -> impl Future<Output = Self::Output> + Send {
        self.0.attempt()
    }
}

// Executions.
pub trait ExecutionBody: Send {
    type Output: Send;
    const NAME: &'static str;
    const FALLIBLE: bool;
    fn run(self) -> impl Future<Output = Self::Output> + Send;
}
#[must_use]
pub struct Execution<B>(pub B);
impl<B> Execution<B> {
    pub fn new(body: B) -> Self {
        Self(body)
    }
}
pub struct Run<M, K, F>(PhantomData<fn() -> (M, K)>, F);
pub fn body<M, K, F>(_: M, _: K, future: F) -> Run<M, K, F> {
    Run(PhantomData, future)
}
impl<M: HasMeta, K: Codec, F: Future<Output: Send> + Send> ExecutionBody for Run<M, K, F> {
    type Output = F::Output;
    const NAME: &'static str = M::META.name;
    const FALLIBLE: bool = K::FALLIBLE;
    fn run(self) -> impl Future<Output = Self::Output> + Send {
        self.1
    }
}

// Operations.
pub trait DurableOperation: Sized + Send {
    type Output;
    fn start(self) -> impl Future<Output = Self::Output> + Send;
}
pub struct Performing<'a, O>(Pin<Box<dyn Future<Output = O> + Send + 'a>>);
impl<O> Future for Performing<'_, O> {
    type Output = O;
    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<O> {
        self.0.as_mut().poll(cx)
    }
}
pub trait DurableAwait: Sized {
    fn __durable_await<'a, O>(self) -> Performing<'a, O>
    where
        Self: DurableOperation<Output = O> + 'a,
    {
        Performing(Box::pin(self.start()))
    }
}
impl<T> DurableAwait for T {}

fn record(name: &'static str, fallible: bool) {
    HISTORY.with_borrow_mut(|history| history.push((name.to_owned(), fallible)));
}

thread_local! {
    pub static HISTORY: std::cell::RefCell<Vec<(String, bool)>> = const { std::cell::RefCell::new(Vec::new()) };
}

impl<B: StepBody> DurableOperation for Step<B> {
    type Output = B::Output;
    fn start(self) -> impl Future<Output = Self::Output> + Send {
        record(self.options.name.unwrap_or(B::NAME), B::FALLIBLE);
        self.body.attempt()
    }
}
impl<B: ExecutionBody> DurableOperation for Execution<B> {
    type Output = B::Output;
    fn start(self) -> impl Future<Output = Self::Output> + Send {
        record(B::NAME, B::FALLIBLE);
        self.0.run()
    }
}
pub struct DurableBlock<F>(F);
pub fn block<F>(future: F) -> DurableBlock<F> {
    DurableBlock(future)
}
impl<F: Future + Send> DurableOperation for DurableBlock<F> {
    type Output = F::Output;
    fn start(self) -> impl Future<Output = Self::Output> + Send {
        self.0
    }
}
pub struct Inline<F>(&'static str, bool, F);
pub fn inline_step<K: Codec, F>(name: &'static str, _: StepOptions, _: K, f: F) -> Inline<F> {
    Inline(name, K::FALLIBLE, f)
}
pub fn inline_step_interruptible<K: Codec, F, Fut, T, E>(
    name: &'static str,
    _: StepOptions,
    _: K,
    f: F,
) -> Inline<F>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, E>>,
    E: From<Interrupted>,
{
    Inline(name, K::FALLIBLE, f)
}
impl<F: FnMut() -> Fut + Send, Fut: Future + Send> DurableOperation for Inline<F> {
    type Output = Fut::Output;
    fn start(mut self) -> impl Future<Output = Self::Output> + Send {
        record(self.0, self.1);
        (self.2)()
    }
}

// Branches.
pub struct BoxOp<'a, O>(Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = O> + Send + 'a>> + Send + 'a>);
pub fn op<'a, T: DurableOperation<Output = O> + 'a, O>(operation: T) -> BoxOp<'a, O> {
    BoxOp(Box::new(move || Box::pin(operation.start())))
}
pub fn probe_op<O>(_: &BoxOp<'_, O>) -> Probe<O> {
    Probe(PhantomData)
}
pub struct Branch<'a, O, K>(Option<&'static str>, PhantomData<fn() -> K>, BoxOp<'a, O>);
pub fn branch<'a, K, O>(name: Option<&'static str>, _: K, operation: BoxOp<'a, O>) -> Branch<'a, O, K> {
    Branch(name, PhantomData, operation)
}
pub struct Group<B>(B);
pub fn join<B>(name: Option<&'static str>, branches: B) -> Group<B> {
    record(name.unwrap_or("join"), false);
    Group(branches)
}
impl<A: Send, B: Send, K: Codec, L: Codec> DurableOperation for Group<(Branch<'_, A, K>, Branch<'_, B, L>)> {
    type Output = (A, B);
    async fn start(self) -> Self::Output {
        let (first, second) = self.0;
        record(first.0.unwrap_or("branch 0"), K::FALLIBLE);
        let first = (first.2.0)().await;
        record(second.0.unwrap_or("branch 1"), L::FALLIBLE);
        (first, (second.2.0)().await)
    }
}
pub struct First<B>(B);
pub fn race<B>(_: Option<&'static str>, branches: Vec<B>) -> First<Vec<B>> {
    First(branches)
}
impl<A: Send, K: Codec> DurableOperation for First<Vec<Branch<'_, A, K>>> {
    type Output = A;
    async fn start(self) -> A {
        (self.0.into_iter().next().expect("race! has branches").2.0)().await
    }
}
