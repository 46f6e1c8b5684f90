//! The attribute and function-like macros of `durable-runtime`, which re-exports all of them.
//!
//! | task | file |
//! | --- | --- |
//! | add an option to an attribute | `args.rs`, then `expand/` |
//! | forbid another name in executions | `forbidden.rs`, a table |
//! | change what `.await` becomes | `awaits.rs` |
//! | add a rule on signatures | `check.rs` |
//! | change what is emitted | `expand/`; the snapshots show the outcome |

mod args;
mod awaits;
mod branches;
mod check;
mod determinism;
mod diagnostics;
mod duration;
mod entry;
mod expand;
mod fallback;
mod forbidden;
mod function;
mod graph;
mod hash_iteration;
mod inline_step;
mod literals;
mod model;
mod operation_chain;
mod raw_option;
mod retry_args;
mod saga;
mod tokens;
mod versioned;

use proc_macro::TokenStream;

use crate::branches::{Combinator, expand_branches};

/// Makes an `async fn` a step: code that does real work, and whose result is recorded in the history.
///
/// The body may use any crate and await any future. Calling the function only describes the step; awaiting it
/// in a [`#[durable_execution]`](macro@durable_execution) runs it, or returns what an earlier run has recorded.
///
/// ```
/// use durable_runtime::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize)]
/// enum PayError {
///     Declined,
///     Interrupted,
/// }
///
/// impl std::fmt::Display for PayError {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         write!(f, "{self:?}")
///     }
/// }
///
/// impl From<Interrupted> for PayError {
///     fn from(_: Interrupted) -> Self {
///         Self::Interrupted
///     }
/// }
///
/// #[durable_step(retry(max_attempts = 5, initial_delay = "1s", max_delay = "1m"), timeout = "30s")]
/// async fn charge(card: &str, cents: u64) -> Result<u64, PayError> {
///     if card.is_empty() { Err(PayError::Declined) } else { Ok(cents) }
/// }
/// ```
///
/// # Options
///
/// | option | meaning | without it |
/// | --- | --- | --- |
/// | `retry(max_attempts = 5, ..)` | the keys below | up to 6 attempts after 5 s to 60 s, with full jitter |
/// | `retry(none)` | one attempt; arguments need no `Clone` | |
/// | `retry = path::to::POLICY` | any expression of type `RetryPolicy` | |
/// | `at_most_once` | an attempt that was cut off is not repeated but reported; the error type needs `From<Interrupted>` | at least once |
/// | `timeout = "30s"` | limit of each attempt; the error type needs `From<Interrupted>` | none |
/// | `compensate = refund` | a durable step, or execution, that undoes this one when the work around it fails | nothing undoes it |
/// | `name = "charge card"` | the recorded name | the name of the function |
/// | `serdes = MySerdes` | how the result is stored | json |
/// | `crate = path` | where `durable_runtime` is, for crates that re-export it | found through `Cargo.toml` |
///
/// Keys of `retry(..)`: `max_attempts` (3), `initial_delay` ("5s"), `backoff` (2.0), `max_delay` ("5m"),
/// `jitter` (`full`; or `half`, `none`) and `retry_if`, the path of an `fn(&ErrorObject) -> bool`.
///
/// Durations are a number and a unit (`ms`, `s`, `m`, `h`, `d`), or several: `"1h30m"`.
///
/// # Compensation
///
/// `compensate` names a step that takes by value what this one returned, without its `Result`. When the
/// execution fails, the compensations of its finished steps run in reverse, each a durable step with a retry
/// policy of its own. A called execution that fails undoes its own steps, and so do a block with a name and
/// [`saga!`], and a branch of `join!` or `map`; a branch that is cancelled is undone too. A compensation that fails is
/// logged and noted in the stack trace of the error, which stays the first one, and the others still run.
/// What ends an execution from outside undoes nothing: a stop, a time limit, a panic in replayed code.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_step(compensate = cancel_flight)]
/// async fn book_flight(trip: u64) -> Result<String, Error> {
///     Ok(format!("flight of trip {trip}"))
/// }
///
/// #[durable_step(retry(max_attempts = 10))]
/// async fn cancel_flight(booking: String) -> Result<(), Error> {
///     Ok(println!("cancelled {booking}"))
/// }
///
/// #[durable_step]
/// async fn book_hotel(trip: u64) -> Result<String, Error> {
///     Err(Error::new("no room"))
/// }
///
/// #[durable_execution]
/// async fn book(trip: u64) -> Result<String, Error> {
///     let flight = book_flight(trip).await?;
///     let hotel = book_hotel(trip).await?; // fails: the flight is cancelled
///     Ok(format!("{flight}, {hotel}"))
/// }
/// ```
///
/// # What does not compile
///
/// Arguments by `&mut` and `&mut self`: on replay the body doesn't run, and the change would be missing.
/// Arguments are copied for each attempt, so that those taken by value have to be `Clone`; `&T` costs nothing.
#[proc_macro_attribute]
pub fn durable_step(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::durable_step(args.into(), item.into()).into()
}

/// Makes an `async fn` an execution: code that survives anything, because it is replayed from its history.
///
/// The body awaits durable operations only, which the compiler checks: steps, waits, callbacks, `map`, `join!`,
/// other executions (each becomes a child context), and `async` blocks made of these.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_step]
/// async fn price(item: u32) -> u64 {
///     u64::from(item) * 100
/// }
///
/// #[durable_execution]
/// async fn total(items: Vec<u32>) -> u64 {
///     let mut total = 0;
///     for item in items {
///         total += price(item).await;
///     }
///     total
/// }
/// ```
///
/// # Options
///
/// `name = ".."`, `serdes = ..` and `crate = ..`, as for [`#[durable_step]`](macro@durable_step), and `version = 2`
/// for a function that has changed since executions of it were begun: see [`versioned!`].
///
/// # What does not compile
///
/// The clock, randomness, the environment, files, the network, spawned tasks and foreign timers give a replay
/// another course than the first run had. Each is an error that names the durable replacement. The check goes by
/// names; where you know better, write [`nondeterministic!`].
///
/// Other attributes, such as `#[tracing::instrument]`, belong below this one.
#[proc_macro_attribute]
pub fn durable_execution(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::durable_execution(args.into(), item.into()).into()
}

/// A step written where it is used. Its block may borrow what is around it and await any future.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn greet(name: String) -> String {
///     step!("greeting", { format!("hello {name}") }).await
/// }
/// ```
///
/// `retry(..)`, `at_most_once`, `timeout = ".."` and `serdes = ..` go between the name and the block, and mean
/// what they mean for [`#[durable_step]`](macro@durable_step).
#[proc_macro]
pub fn step(input: TokenStream) -> TokenStream {
    inline_step::expand_inline_step(input.into()).into()
}

/// A block whose steps are undone together: when it gives an error, the compensations of the steps that were
/// finished inside run in reverse. See `compensate` of [`#[durable_step]`](macro@durable_step).
///
/// It is a child context, by default with the name `saga`, and gives a `Result` whose both sides can be stored.
/// When it succeeds, its compensations pass to what is around it.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// # #[durable_step] async fn release(seat: u32) -> Result<(), Error> { Ok(()) }
/// # #[durable_step(compensate = release)] async fn reserve(seat: u32) -> Result<u32, Error> { Ok(seat) }
/// #[durable_execution]
/// async fn seats() -> Result<u32, Error> {
///     let pair = saga!("pair", {
///         reserve(1).await?;
///         reserve(2).await?;
///         Ok::<_, Error>(2)
///     })
///     .await;
///     // Without the second seat the first one was released, and the work goes on.
///     Ok(pair.unwrap_or(0))
/// }
/// ```
#[proc_macro]
pub fn saga(input: TokenStream) -> TokenStream {
    saga::expand_saga(input.into()).into()
}

/// Code for executions that were begun with one version of a function, and code for those of others.
///
/// `#[durable_execution(version = 2)]` records the version with which each execution, or call, was begun; what was
/// begun before there was a version is version 1. Inside of the function, the first branch whose version is not above
/// the recorded one is evaluated.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// # #[durable_step] async fn charge(order: u64) -> Result<u64, Error> { Ok(order) }
/// # #[durable_step] async fn reserve(order: u64) -> Result<u64, Error> { Ok(order) }
/// # #[durable_step] async fn capture(order: u64) -> Result<u64, Error> { Ok(order) }
/// #[durable_execution(version = 2)]
/// async fn pay(order: u64) -> Result<u64, Error> {
///     versioned!(
///         from 2 => {
///             let reservation = reserve(order).await?;
///             capture(reservation).await
///         },
///         else charge(order).await,
///     )
/// }
/// ```
///
/// Without `else`, an execution of an older version stops as diverged, and names its version. Once no execution of an
/// old version is left, its branch can go. A program with a lower version than recorded, as after a roll-back, stops
/// likewise, with the policy of `Options::on_divergence`.
#[proc_macro]
pub fn versioned(input: TokenStream) -> TokenStream {
    versioned::expand_versioned(input.into()).into()
}

/// Runs up to 12 branches of any types side by side, and gives a tuple of their outputs.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// # #[durable_step] async fn stock(item: u32) -> u32 { item }
/// # #[durable_step] async fn risk(item: u32) -> String { item.to_string() }
/// #[durable_execution]
/// async fn assess(item: u32) -> String {
///     let (stock, risk) = join!(stock(item), risk(item)).await;
///     format!("{stock} in stock, risk {risk}")
/// }
/// ```
///
/// A group can have a name, `join!("assess"; a, b)`, and so can its branches, `join!(stock = a, risk = b)`.
#[proc_macro]
pub fn join(input: TokenStream) -> TokenStream {
    expand_branches(Combinator::Join, input.into()).into()
}

/// Runs up to 12 fallible branches side by side, and gives a tuple of their values or the first error.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// # #[durable_step] async fn stock(item: u32) -> Result<u32, String> { Ok(item) }
/// # #[durable_step] async fn weight(item: u32) -> Result<f64, String> { Ok(f64::from(item)) }
/// #[durable_execution]
/// async fn load(item: u32) -> Result<f64, String> {
///     let (stock, weight) = try_join!(stock(item), weight(item)).await?;
///     Ok(f64::from(stock) * weight)
/// }
/// ```
#[proc_macro]
pub fn try_join(input: TokenStream) -> TokenStream {
    expand_branches(Combinator::TryJoin, input.into()).into()
}

/// Runs branches of one output type side by side, and gives the output of the first that finishes. The winner is
/// recorded; the others are cancelled.
///
/// ```
/// use durable_runtime::prelude::*;
/// use std::time::Duration;
///
/// # #[durable_step] async fn answer(question: &str) -> Option<String> { Some(question.into()) }
/// #[durable_execution]
/// async fn ask(question: String) -> Option<String> {
///     race!(
///         answer(&question),
///         async {
///             wait(Duration::from_hours(1)).await;
///             None
///         },
///     )
///     .await
/// }
/// ```
#[proc_macro]
pub fn race(input: TokenStream) -> TokenStream {
    expand_branches(Combinator::Race, input.into()).into()
}

/// Runs fallible branches of one output type side by side, and gives the first success, or the last error when
/// none succeeds.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// # #[durable_step] async fn fetch(mirror: u32) -> Result<String, String> { Ok(mirror.to_string()) }
/// #[durable_execution]
/// async fn download(item: u32) -> Result<String, String> {
///     select_ok!(fetch(1), fetch(2)).await
/// }
/// ```
#[proc_macro]
pub fn select_ok(input: TokenStream) -> TokenStream {
    expand_branches(Combinator::SelectOk, input.into()).into()
}

/// Says that an expression may differ between runs, and that this is intended. It compiles to the expression.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn greet() -> u32 {
///     // Only logged, so that a replay may as well see another one.
///     println!("on {:?}", nondeterministic!(std::env::var("HOSTNAME")));
///     1
/// }
/// ```
#[proc_macro]
pub fn nondeterministic(input: TokenStream) -> TokenStream {
    input
}
