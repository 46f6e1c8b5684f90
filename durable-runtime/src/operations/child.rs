//! Child contexts: calls of other `#[durable_execution]` functions, and named blocks.

use std::{future::Future, marker::PhantomData};

use compact_str::CompactString;

use crate::{
    codec::{Codec, Fallible, Outcome},
    core::outbox::Urgency,
    operation::{DurableBlock, DurableOperation, only_inside},
    operations::{
        settle::{check_error, outcome_of, settle_context},
        step::{HasMeta, Meta},
    },
    protocol::{ErrorObject, Operation, OperationAction, OperationType, Payload, sub_type},
    scope::{Cx, Identity},
    serdes::{SerdesError, about},
    value::{DurableError, DurableValue},
};

/// The body of a `#[durable_execution]` function.
#[doc(hidden)]
pub trait ExecutionBody: Send {
    type Output: Send;
    type Codec: Codec<Self::Output>;
    const META: &'static Meta;

    fn run(self) -> impl Future<Output = Self::Output> + Send;
}

#[doc(hidden)]
pub struct Body<M, K, F> {
    future: F,
    _types: PhantomData<fn() -> (M, K)>,
}

#[doc(hidden)]
pub fn body<M, K, F>(_: M, _: K, future: F) -> Body<M, K, F> {
    Body { future, _types: PhantomData }
}

impl<M: HasMeta, K: Codec<F::Output>, F: Future<Output: Send> + Send> ExecutionBody for Body<M, K, F> {
    type Output = F::Output;
    type Codec = K;
    const META: &'static Meta = M::META;

    fn run(self) -> impl Future<Output = F::Output> + Send {
        self.future
    }
}

/// A call of a `#[durable_execution]` function: awaited in durable code it is a child context, served by a
/// host it is an execution of its own.
#[must_use = "a durable execution does nothing unless awaited in another one or served"]
pub struct Execution<B> {
    body: B,
    name: Option<CompactString>,
}

impl<B> std::fmt::Debug for Execution<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Execution").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<B> Execution<B> {
    #[doc(hidden)]
    pub const fn new(body: B) -> Self {
        Self { body, name: None }
    }

    /// Records this call under another name than the function's.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into());
        self
    }

    pub(crate) fn into_body(self) -> B {
        self.body
    }
}

#[diagnostic::do_not_recommend]
impl<B: ExecutionBody> DurableOperation for Execution<B> {
    type Output = B::Output;

    fn start(self, cx: Cx) -> impl Future<Output = B::Output> + Send {
        let name = self.name.unwrap_or_else(|| CompactString::const_new(B::META.name));
        let identity = claim_context(&cx, sub_type::RUN_IN_CHILD_CONTEXT, Some(name));
        let body = self.body;
        run_child::<B::Codec, _>(cx, identity, async move {
            Cx::current().begin_version(B::META).await;
            body.run().await
        })
    }
}
only_inside!([B: ExecutionBody] Execution<B>, B::Output);

/// A block that is a child context; see [`DurableBlock::named`].
#[must_use = "a durable operation does nothing unless awaited"]
pub struct NamedBlock<F> {
    future: F,
    name: CompactString,
}

impl<F> std::fmt::Debug for NamedBlock<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamedBlock").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F: Future> DurableBlock<F> {
    /// Makes the block a child context with a record of its own: once it is finished, its result replaces
    /// its operations. The block gives a `Result` whose both sides can be stored.
    pub fn named(self, name: impl Into<String>) -> NamedBlock<F> {
        NamedBlock { future: self.into_future(), name: name.into().into() }
    }
}

#[diagnostic::do_not_recommend]
impl<F, T, E> DurableOperation for NamedBlock<F>
where
    F: Future<Output = Result<T, E>> + Send,
    T: DurableValue,
    E: DurableError,
{
    type Output = Result<T, E>;

    fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
        let identity = claim_context(&cx, sub_type::RUN_IN_CHILD_CONTEXT, Some(self.name));
        run_child::<Fallible, _>(cx, identity, self.future)
    }
}
only_inside!([F: Future] NamedBlock<F>, F::Output);

pub(crate) fn claim_context(cx: &Cx, sub_type: &'static str, name: Option<CompactString>) -> Identity {
    cx.claim(OperationType::Context, sub_type, name)
}

pub(crate) async fn run_child<K: Codec<F::Output>, F: Future>(
    cx: Cx,
    identity: Identity,
    body: F,
) -> F::Output {
    let record = ContextRecord::open(&cx, &identity, K::decode);
    if let Some(recorded) = record.recorded().await {
        return recorded;
    }
    let running = cx.announce_attempt(&identity, None, record.begun);
    let inside = cx.child(&identity.id);
    let output = inside.clone().scope(body).await;
    let mut outcome = about(&identity.id, || K::encode(&output));
    drop(output);
    if let Ok(Outcome::Failed(error)) = &mut outcome {
        inside.roll_back(error).await;
    }
    if let Ok(outcome) = &outcome {
        cx.announce_attempt_end(running, outcome);
    }
    record.close(outcome, &inside).await
}

/// What is known of a context before its body runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContextState {
    /// It ended, and its record is all there is to it.
    Ended(Outcome),
    /// It ended, but its result has to be rebuilt from its children; the record holds a summary.
    Rebuild(Option<Payload>),
    /// It runs.
    Open,
}

/// Reads what is recorded of a context, and queues its START when nothing is.
pub(crate) fn open_context(cx: &Cx, identity: &Identity) -> ContextState {
    let state = cx.recorded(&identity.id, |operation| operation.map(context_state));
    state.unwrap_or_else(|| {
        cx.push(identity.update(OperationAction::Start), Urgency::Lazy);
        ContextState::Open
    })
}

fn context_state(operation: &Operation) -> ContextState {
    let rebuild =
        operation.context_details.as_ref().is_some_and(|context| context.replay_children == Some(true));
    match outcome_of(operation) {
        Some(Outcome::Succeeded(summary)) if rebuild => ContextState::Rebuild(summary),
        Some(outcome) => ContextState::Ended(outcome),
        None => ContextState::Open,
    }
}

/// A context whose result is one value.
pub(crate) struct ContextRecord<'a, R> {
    cx: &'a Cx,
    identity: &'a Identity,
    state: ContextState,
    /// Whether it was begun by an earlier invocation.
    begun: bool,
    read: fn(&Outcome) -> Result<R, SerdesError>,
}

impl<'a, R> ContextRecord<'a, R> {
    pub(crate) fn open(
        cx: &'a Cx,
        identity: &'a Identity,
        read: fn(&Outcome) -> Result<R, SerdesError>,
    ) -> Self {
        let begun = cx.recorded(&identity.id, |operation| operation.is_some());
        Self { state: open_context(cx, identity), begun, cx, identity, read }
    }

    /// The recorded value, if the context has ended with one.
    pub(crate) async fn recorded(&self) -> Option<R> {
        match &self.state {
            ContextState::Ended(outcome) => Some(self.decode(outcome).await),
            ContextState::Rebuild(_) | ContextState::Open => None,
        }
    }

    /// Records the end, and gives the value as every replay will see it. `inside` is the context itself.
    pub(crate) async fn close(&self, outcome: Result<Outcome, SerdesError>, inside: &Cx) -> R {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => self.unusable("can't be written", error).await,
        };
        if self.state == ContextState::Open {
            if let Err(error) = check_error(self.identity, &outcome) {
                self.cx.fail(error).await;
            }
            let keep = inside.has_compensations();
            settle_context(self.cx, self.identity, &outcome, keep, || Payload::from(""));
        }
        self.decode(&outcome).await
    }

    async fn decode(&self, outcome: &Outcome) -> R {
        match about(&self.identity.id, || (self.read)(outcome)) {
            Ok(value) => value,
            Err(error) => self.unusable("does not fit its type", error).await,
        }
    }

    async fn unusable(&self, what: &str, error: SerdesError) -> ! {
        let message = format!("the record of {} {what}: {error}", self.identity.describe());
        self.cx.fail(ErrorObject::new("ChildContextError", message)).await
    }
}
