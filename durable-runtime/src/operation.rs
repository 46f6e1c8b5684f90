//! What `.await` becomes in durable code.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{scope::Cx, service::BoxFuture};

/// Something that a `#[durable_execution]` function can await: recorded, and replayed from its record.
///
/// Implemented by the operations of this crate, by calls of `#[durable_step]` and `#[durable_execution]`
/// functions, and by `async` blocks inside durable code.
#[diagnostic::on_unimplemented(
    message = "this future is not a durable operation",
    label = "not recorded in the history",
    note = "a durable execution is replayed from its history, so everything it awaits must be recorded",
    note = "put it into a `#[durable_step] async fn`, or wrap it in place with `step!(\"name\", {{ .. }}).await`",
    note = "for time use `wait`, for concurrency `map`, `join!` or `race!`"
)]
pub trait DurableOperation: Sized + Send {
    /// What awaiting it gives.
    type Output;

    /// Erases the operation's type, so that different operations with the same output fit into one `parallel`,
    /// or a `dyn` method can return one.
    fn boxed<'a>(self) -> BoxOp<'a, Self::Output>
    where
        Self: 'a,
    {
        op(self)
    }

    /// Claims its identity, at once, and returns the future that performs it.
    #[doc(hidden)]
    fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send;
}

/// A durable operation being performed.
#[doc(hidden)]
pub struct Performing<'a, O>(BoxFuture<'a, O>);

impl<O> Future for Performing<'_, O> {
    type Output = O;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<O> {
        self.0.as_mut().poll(context)
    }
}

impl<O> std::fmt::Debug for Performing<'_, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Performing")
    }
}

/// What `expr.await` is rewritten to in durable code: `expr.__durable_await().await`.
///
/// `O` is a parameter and the future is concrete and erased, so that a foreign future gives one error, the
/// workflow's own future stays small, and recursion needs no boxing by hand.
#[doc(hidden)]
pub trait DurableAwait: Sized {
    fn __durable_await<'a, O>(self) -> Performing<'a, O>
    where
        Self: DurableOperation<Output = O> + 'a,
    {
        Performing(Box::pin(self.start(Cx::current())))
    }
}
impl<T> DurableAwait for T {}

mod sealed {
    pub trait Sealed {}
}

/// Never implemented: it makes durable operations futures that no ordinary code can await, with our words.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "durable operations can only be awaited inside a `#[durable_execution]` function",
    label = "awaited in ordinary async code",
    note = "annotate the enclosing `async fn` with `#[durable_execution]`; a step may not contain durable operations",
    note = "if it is annotated, the `.await` was produced by a macro: write the `.await` yourself, outside of it"
)]
pub trait InsideDurableExecution: sealed::Sealed {}

/// What the message above names.
#[doc(hidden)]
pub struct Recorded<O>(PhantomData<O>);

/// [`Recorded`] where the output is no parameter: the bound lifetime keeps rustc from evaluating the condition
/// at the implementation, where it would find it trivially false.
#[doc(hidden)]
pub struct RecordedAs<'inside, O>(PhantomData<&'inside O>);

/// Makes an operation a future under a condition that never holds; see [`InsideDurableExecution`].
macro_rules! only_inside {
    ([] $operation:ty, $output:ty) => {
        $crate::operation::only_inside!(@ [] $operation, $output, for<'inside> $crate::operation::RecordedAs<'inside, $output>);
    };
    ([$($generics:tt)+] $operation:ty, $output:ty) => {
        $crate::operation::only_inside!(@ [$($generics)+] $operation, $output, $crate::operation::Recorded<$output>);
    };
    (@ [$($generics:tt)*] $operation:ty, $output:ty, $($condition:tt)+) => {
        impl<$($generics)*> ::std::future::Future for $operation
        where
            $($condition)+: $crate::operation::InsideDurableExecution,
        {
            type Output = $output;
            fn poll(
                self: ::std::pin::Pin<&mut Self>,
                _: &mut ::std::task::Context<'_>,
            ) -> ::std::task::Poll<$output> {
                unreachable!("the condition of this implementation never holds")
            }
        }
    };
}
pub(crate) use only_inside;

/// An `async` block inside durable code: a durable operation, and not a future.
#[must_use = "an `async` block in durable code does nothing unless awaited"]
pub struct DurableBlock<F>(F);

impl<F> std::fmt::Debug for DurableBlock<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DurableBlock")
    }
}

#[doc(hidden)]
pub const fn block<F: Future>(future: F) -> DurableBlock<F> {
    DurableBlock(future)
}

impl<F: Future> DurableBlock<F> {
    pub(crate) fn into_future(self) -> F {
        self.0
    }
}

#[diagnostic::do_not_recommend]
impl<F: Future + Send> DurableOperation for DurableBlock<F> {
    type Output = F::Output;

    fn start(self, cx: Cx) -> impl Future<Output = F::Output> + Send {
        cx.scope(self.0)
    }
}
only_inside!([F: Future] DurableBlock<F>, F::Output);

/// A durable operation with its type erased, for branches of different types and `dyn` methods.
#[must_use = "a durable operation does nothing unless awaited"]
pub struct BoxOp<'a, O>(Box<dyn Erased<'a, O> + Send + 'a>);

impl<O> std::fmt::Debug for BoxOp<'_, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BoxOp")
    }
}

trait Erased<'a, O> {
    fn start(self: Box<Self>, cx: Cx) -> BoxFuture<'a, O>;
}

impl<'a, T: DurableOperation + 'a> Erased<'a, T::Output> for T {
    fn start(self: Box<Self>, cx: Cx) -> BoxFuture<'a, T::Output> {
        Box::pin(DurableOperation::start(*self, cx))
    }
}

/// Erases an operation's type.
#[doc(hidden)]
pub fn op<'a, T: DurableOperation<Output = O> + 'a, O>(operation: T) -> BoxOp<'a, O> {
    BoxOp(Box::new(operation))
}

impl<'a, O> BoxOp<'a, O> {
    pub(crate) fn begin(self, cx: Cx) -> BoxFuture<'a, O> {
        self.0.start(cx)
    }
}

#[diagnostic::do_not_recommend]
impl<O> DurableOperation for BoxOp<'_, O> {
    type Output = O;

    fn start(self, cx: Cx) -> impl Future<Output = O> + Send {
        self.begin(cx)
    }
}
only_inside!([O] BoxOp<'_, O>, O);
