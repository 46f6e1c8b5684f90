//! A `#[durable_execution]` function as a host serves it.

use std::{marker::PhantomData, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::{Codec, Outcome},
    driver::{Begin, RootBody, drive},
    environment::Environment,
    error::last_segment,
    graph::Graph,
    operations::{
        child::{Execution, ExecutionBody},
        step::Meta,
    },
    protocol::{ErrorObject, InvocationInput, InvocationOutput, Payload},
    scope::Cx,
    serdes::SerdesError,
    service::BoxFuture,
    workflow::{InvocationError, SharedWorkflow, Workflow},
};

/// A function that can be served: it owns its one input, or has none.
///
/// `Arguments` is `(Input,)` or `()`; it is always inferred.
#[diagnostic::on_unimplemented(
    message = "this function can't be served as a durable execution",
    label = "not an execution with one owned input, or none",
    note = "a host serves `#[durable_execution] async fn name(input: Input) -> Output`, where `Input` derives `serde::Serialize` and `serde::Deserialize` and is not a reference",
    note = "put several inputs into one struct; a step or a plain `async fn` is not an execution"
)]
pub trait Root<Arguments>: Send + Sync + 'static {
    /// What an execution is started with.
    type Input: Serialize + DeserializeOwned + Send + 'static;
    /// What the function returns.
    type Output: Send;

    /// The name it is registered and started by.
    fn name(&self) -> &'static str;

    /// Its shape; see [`crate::graph`].
    #[doc(hidden)]
    fn graph(&self) -> Graph;

    #[doc(hidden)]
    fn begin(&self, input: Self::Input) -> RootFuture;

    #[doc(hidden)]
    fn decode(outcome: &Outcome) -> Result<Self::Output, SerdesError>;
}

/// The erased body of an execution.
#[doc(hidden)]
pub struct RootFuture(RootBody);

impl std::fmt::Debug for RootFuture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootFuture")
    }
}

fn erase<B: ExecutionBody + 'static>(execution: Execution<B>) -> RootFuture {
    let body = execution.into_body().run();
    performed(B::META, Box::pin(async move { B::Codec::encode(&body.await) }))
}

/// A body and what surrounds it, without its types.
fn performed(meta: &'static Meta, body: BoxFuture<'static, Result<Outcome, SerdesError>>) -> RootFuture {
    RootFuture(Box::pin(async move {
        Cx::current().begin_version(meta).await;
        let mut outcome = body.await.map_err(|error| {
            let message = format!("what execution `{}` returned can't be written: {error}", meta.name);
            ErrorObject::new("ExecutionError", message)
        })?;
        if let Outcome::Failed(error) = &mut outcome {
            Cx::current().roll_back(error).await;
        }
        Ok(outcome)
    }))
}

#[diagnostic::do_not_recommend]
impl<F, B> Root<()> for F
where
    F: Fn() -> Execution<B> + Send + Sync + 'static,
    B: ExecutionBody + 'static,
{
    type Input = ();
    type Output = B::Output;

    fn name(&self) -> &'static str {
        B::META.name
    }

    fn graph(&self) -> Graph {
        Graph::of(B::META)
    }

    fn begin(&self, (): ()) -> RootFuture {
        erase(self())
    }

    fn decode(outcome: &Outcome) -> Result<B::Output, SerdesError> {
        B::Codec::decode(outcome)
    }
}

#[diagnostic::do_not_recommend]
impl<F, A, B> Root<(A,)> for F
where
    F: Fn(A) -> Execution<B> + Send + Sync + 'static,
    A: Serialize + DeserializeOwned + Send + 'static,
    B: ExecutionBody + 'static,
{
    type Input = A;
    type Output = B::Output;

    fn name(&self) -> &'static str {
        B::META.name
    }

    fn graph(&self) -> Graph {
        Graph::of(B::META)
    }

    fn begin(&self, input: A) -> RootFuture {
        erase(self(input))
    }

    fn decode(outcome: &Outcome) -> Result<B::Output, SerdesError> {
        B::Codec::decode(outcome)
    }
}

/// Makes a function servable by any host.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn greet(name: String) -> Result<String, Error> {
///     Ok(format!("Hello, {name}!"))
/// }
///
/// let workflow = durable_runtime::workflow(greet);
/// assert_eq!(workflow.name(), "greet");
/// ```
pub fn workflow<Arguments: 'static, F: Root<Arguments>>(function: F) -> SharedWorkflow {
    let function = Typed { function, _arguments: PhantomData };
    Arc::new(Served { name: function.function.name(), function: Arc::new(function) })
}

struct Served {
    name: &'static str,
    function: Arc<dyn Erased>,
}

impl Workflow for Served {
    fn name(&self) -> &str {
        self.name
    }

    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let function = Arc::clone(&self.function);
        let begin: Begin = Box::new(move |payload| function.begin(payload));
        drive(input, environment, begin)
    }
}

/// All of a function that depends on its types.
trait Erased: Send + Sync {
    fn begin(&self, payload: Option<&Payload>) -> Result<RootBody, ErrorObject>;
}

struct Typed<F, Arguments> {
    function: F,
    _arguments: PhantomData<fn() -> Arguments>,
}

impl<Arguments: 'static, F: Root<Arguments>> Erased for Typed<F, Arguments> {
    fn begin(&self, payload: Option<&Payload>) -> Result<RootBody, ErrorObject> {
        read_input::<F::Input>(payload, self.function.name()).map(|input| self.function.begin(input).0)
    }
}

fn read_input<T: DeserializeOwned>(payload: Option<&Payload>, function: &str) -> Result<T, ErrorObject> {
    let mut texts = texts_of(payload);
    loop {
        let (text, otherwise) = texts;
        match (serde_json::from_str(text), otherwise) {
            (Ok(input), _) => return Ok(input),
            (Err(_), Some(otherwise)) => texts = (otherwise, None),
            (Err(error), None) => return Err(unreadable(function, std::any::type_name::<T>(), &error)),
        }
    }
}

/// An absent or blank payload reads as JSON `null`, and as `{}` where that does not fit, as in AWS's SDKs.
fn texts_of(payload: Option<&Payload>) -> (&str, Option<&'static str>) {
    match payload.map(Payload::as_str).filter(|text| !text.trim().is_empty()) {
        Some(text) => (text, None),
        None => ("null", Some("{}")),
    }
}

fn unreadable(function: &str, wanted: &'static str, error: &serde_json::Error) -> ErrorObject {
    let wanted = last_segment(wanted);
    let message = format!("the input of execution `{function}` is not a `{wanted}`: {error}");
    ErrorObject::new("InvalidInput", message)
}

/// Typed chained invokes: `checkout.invoke_on(arn, &order)` knows input and result from the function.
pub trait InvokeOn<Arguments, T>: Root<Arguments> {
    /// Invokes the deployed `function` that runs this code. The result is the function's success value; its
    /// failure arrives as [`crate::InvokeError`].
    fn invoke_on(&self, function: impl Into<String>, input: &Self::Input) -> crate::Invoke<T> {
        crate::invoke(function, input)
    }
}
impl<Arguments, T, E, F: Root<Arguments, Output = Result<T, E>>> InvokeOn<Arguments, T> for F {}
