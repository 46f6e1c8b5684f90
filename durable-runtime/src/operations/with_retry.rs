//! `with_retry`: a group of operations that is tried again as a whole.
//!
//! ```text
//! CONTEXT <name>
//!   CONTEXT attempt-1   FAILED
//!   WAIT    backoff-1
//!   CONTEXT attempt-2   SUCCEEDED
//! ```

use std::{borrow::Cow, future::Future, marker::PhantomData, time::Duration};

use compact_str::{CompactString, format_compact};

use crate::{
    codec::{Fallible, encode_error},
    core::identity::unit_interval,
    operation::{DurableOperation, only_inside},
    operations::{
        child::{claim_context, run_child},
        wait::wait,
    },
    protocol::sub_type,
    retry::RetryPolicy,
    scope::Cx,
    value::{DurableError, DurableValue},
};

/// Tries a block of durable operations again when it fails, by `policy`.
///
/// Each attempt is a child context with its own operations, so that what an earlier one recorded is not met
/// again; the steps of an attempt that failed are undone if they say how
/// (`#[durable_step(compensate = ..)]`). Between two attempts the execution is suspended. `attempt` is told the
/// number of the attempt, counted from 1. The last error is the operation's own.
///
/// ```
/// use std::time::Duration;
/// use durable_runtime::prelude::*;
///
/// # #[durable_step] async fn quote(item: u32) -> Result<u64, Error> { Ok(u64::from(item)) }
/// # #[durable_step] async fn accept(quote: u64) -> Result<String, Error> { Ok(quote.to_string()) }
/// const QUOTES: RetryPolicy =
///     RetryPolicy { max_attempts: 5, initial_delay: Duration::from_secs(60), ..RetryPolicy::DEFAULT };
///
/// #[durable_execution]
/// async fn buy(item: u32) -> Result<String, Error> {
///     // A quote that has run out is no use: both steps are done again.
///     with_retry(QUOTES, |_| async {
///         let quote = quote(item).await?;
///         accept(quote).await
///     })
///     .named("buy at a quote")
///     .await
/// }
/// ```
pub fn with_retry<F, O>(policy: RetryPolicy, attempt: F) -> WithRetry<F, O>
where
    F: FnMut(u32) -> O,
    O: DurableOperation,
{
    WithRetry { name: Cow::Borrowed("with_retry"), policy, attempt, _operation: PhantomData }
}

/// What [`with_retry`] makes.
#[must_use = "a durable operation does nothing unless awaited"]
pub struct WithRetry<F, O> {
    name: Cow<'static, str>,
    policy: RetryPolicy,
    attempt: F,
    _operation: PhantomData<fn() -> O>,
}

impl<F, O> std::fmt::Debug for WithRetry<F, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WithRetry").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F, O> WithRetry<F, O> {
    /// Records it under this name instead of `with_retry`.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = name.into();
        self
    }
}

#[diagnostic::do_not_recommend]
impl<F, O, T, E> DurableOperation for WithRetry<F, O>
where
    F: FnMut(u32) -> O + Send,
    O: DurableOperation<Output = Result<T, E>>,
    T: DurableValue,
    E: DurableError,
{
    type Output = Result<T, E>;

    fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
        let Self { name, policy, attempt, .. } = self;
        let name = CompactString::from(name);
        let identity = claim_context(&cx, sub_type::RUN_IN_CHILD_CONTEXT, Some(name));
        let id = identity.id.clone();
        run_child::<Fallible, _>(cx, identity, async move {
            let cx = Cx::current();
            attempts(&cx, policy, attempt, &id).await
        })
    }
}
only_inside!([F, O: DurableOperation] WithRetry<F, O>, O::Output);

async fn attempts<F, O, T, E>(cx: &Cx, policy: RetryPolicy, mut attempt: F, id: &str) -> Result<T, E>
where
    F: FnMut(u32) -> O + Send,
    O: DurableOperation<Output = Result<T, E>>,
    T: DurableValue,
    E: DurableError,
{
    let mut number = 1;
    loop {
        let name = format_compact!("attempt-{number}");
        let identity = claim_context(cx, sub_type::RUN_IN_CHILD_CONTEXT, Some(name));
        let operation = attempt(number);
        // Begun when the attempt is polled, so that what it claims belongs to the attempt.
        let body = async move { operation.start(Cx::current()).await };
        let result = run_child::<Fallible, _>(cx.clone(), identity, body).await;
        let Err(error) = &result else { return result };
        // An error that can't be written has ended the execution already.
        let Ok(recorded) = encode_error(error) else { return result };
        let random = unit_interval(&cx.run().arn, id, u64::from(number));
        let Some(seconds) = policy.next_delay(&recorded, number, random) else { return result };
        wait(Duration::from_secs(seconds)).named(format!("backoff-{number}")).start(cx.clone()).await;
        number += 1;
    }
}
