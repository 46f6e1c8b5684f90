//! Durable executions as AWS Lambda functions.
//!
//! A Lambda function whose configuration has a `DurableConfig` is invoked with an envelope: the operations of
//! one execution so far, and a token. This module takes the envelope, runs one invocation of the workflow, sends
//! its checkpoints with the AWS SDK and answers Lambda.
//!
//! ```no_run
//! use durable_runtime::{lambda, prelude::*};
//!
//! #[durable_execution]
//! async fn greet(name: String) -> Result<String, Error> {
//!     Ok(format!("Hello, {name}!"))
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), lambda::Error> {
//!     lambda::init_logging();
//!     lambda::run(greet).await
//! }
//! ```
//!
//! | what happened | what Lambda is told | what becomes of the execution |
//! | --- | --- | --- |
//! | the workflow returned or failed | `SUCCEEDED`, `FAILED` | it ends |
//! | the workflow waits for the service | `PENDING` | it goes on later |
//! | stale token, throttling, 5xx, network | a function error | Lambda invokes again |
//! | the service refused an update for good | `FAILED` with the service's words | it ends |
//!
//! The role of the function needs `lambda:CheckpointDurableExecution` and `lambda:GetDurableExecutionState`.
//!
//! A process that is started with `DURABLE_GRAPH=mermaid` (or `dot`, or `svg`) prints the [graph](crate::graph) of its
//! function and ends, without an invocation: `durable graph -- target/lambda/checkout/bootstrap`.

mod client;
mod clock;
mod convert;
mod event;
mod handler;
mod logging;
mod refusal;
#[cfg(feature = "s3")]
mod s3;
mod service;
mod shape;
mod span;

pub use lambda_runtime::Error;

#[cfg(feature = "s3")]
pub use self::s3::S3Payloads;
pub use self::{
    event::Event,
    handler::{Handler, HandlerError},
    logging::init_logging,
};
use crate::root::Root;

// A panic in a step is a failed attempt; without unwinding it would end the process, and with it every other invocation
// there. Said by the compiler, since `cargo lambda build --release` chooses `abort` for whoever chose nothing.
#[cfg(panic = "abort")]
compile_error!(
    "a function on Lambda must survive a panic in a step, but this profile aborts: write `panic = \"unwind\"` under \
     `[profile.release]` in the Cargo.toml of your workspace (`cargo lambda build --release` makes it `abort` where \
     nothing is written)"
);

/// Serves `function` as this Lambda function: one invocation at a time, until Lambda ends the process.
///
/// # Errors
///
/// The Lambda runtime API can't be reached.
pub async fn run<Arguments: 'static, F: Root<Arguments>>(function: F) -> Result<(), Error> {
    handler(function).run().await
}

/// Serves `function` with as many invocations at a time as the execution environment allows: for Lambda Managed
/// Instances, which say so in `AWS_LAMBDA_MAX_CONCURRENCY`. Elsewhere the same as [`run`].
///
/// # Errors
///
/// The Lambda runtime API can't be reached.
pub async fn run_concurrent<Arguments: 'static, F: Root<Arguments>>(function: F) -> Result<(), Error> {
    handler(function).run_concurrent().await
}

/// `function` as a handler of Lambda events: a [`tower::Service`](lambda_runtime::Service) for
/// `lambda_runtime::run`, with settings.
///
/// ```no_run
/// use std::time::Duration;
/// use durable_runtime::{environment::Options, lambda, prelude::*};
///
/// #[durable_execution]
/// async fn greet(name: String) -> Result<String, Error> {
///     Ok(format!("Hello, {name}!"))
/// }
///
/// # async fn serve() -> Result<(), lambda::Error> {
/// // A wait of up to 2 s is cheaper in process than as an invocation of its own.
/// let options = Options { wait_in_process: Duration::from_secs(2), ..Options::default() };
/// lambda::handler(greet).with_options(options).run().await
/// # }
/// ```
pub fn handler<Arguments: 'static, F: Root<Arguments>>(function: F) -> Handler {
    let graph = crate::graph::graph(&function);
    Handler::new(crate::root::workflow(function), graph)
}
