//! A `#[durable_execution]` function as a host serves it.

use std::{marker::PhantomData, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    codec::{Codec, Outcome},
    driver::{RootBody, drive},
    environment::Environment,
    graph::Graph,
    operations::child::{Execution, ExecutionBody},
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
    RootFuture(Box::pin(async move {
        Cx::current().begin_version(B::META).await;
        let output = body.await;
        let mut outcome = B::Codec::encode(&output).map_err(|error| {
            let message = format!("what execution `{}` returned can't be written: {error}", B::META.name);
            ErrorObject::new("ExecutionError", message)
        })?;
        drop(output);
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
    Arc::new(Served { function: Arc::new(function), _arguments: PhantomData })
}

struct Served<F, Arguments> {
    function: Arc<F>,
    _arguments: PhantomData<fn() -> Arguments>,
}

impl<Arguments: 'static, F: Root<Arguments>> Workflow for Served<F, Arguments> {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let function = Arc::clone(&self.function);
        Box::pin(drive(input, environment, move |payload| {
            read_input::<F::Input>(payload, function.name()).map(|input| function.begin(input).0)
        }))
    }
}

/// An absent or blank payload reads as JSON `null`, and as `{}` where that does not fit, as in AWS's SDKs.
fn read_input<T: DeserializeOwned>(payload: Option<&Payload>, function: &str) -> Result<T, ErrorObject> {
    let text = payload.map(Payload::as_str).filter(|text| !text.trim().is_empty());
    let read = match text {
        Some(text) => serde_json::from_str(text),
        None => serde_json::from_str("null").or_else(|_| serde_json::from_str("{}")),
    };
    read.map_err(|error| {
        let message = format!(
            "the input of execution `{function}` is not a `{}`: {error}",
            crate::error::short_type_name::<T>()
        );
        ErrorObject::new("InvalidInput", message)
    })
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
