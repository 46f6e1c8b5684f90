//! The applications as Lambda functions, one for each program in `src/bin`.
//!
//! | function | kind | invoked by | does |
//! | --- | --- | --- | --- |
//! | `research` | durable | `api`, as an event | [`research_workflow`](crate::research::research_workflow) |
//! | `callback` | durable | a gateway, synchronously; itself, as an event | [`callback_function`] |
//! | `api` | plain | a gateway | the workflow API, the same handlers as on one machine |
//! | `agent` | durable | `research`, as an event | [`agent_function`]: the three embedded agents |
//!
//! Each reads its [environment] once, at start-up, and ends with all that is wrong with it.

mod agent;
mod api;
mod callback;
pub mod environment;
pub mod gateway;
mod https;
mod recorder;
mod webhooks;

use std::{fmt::Display, future::Future, process::ExitCode};

use durable_runtime::{environment::Options, lambda::S3Payloads, payloads::Payloads};

pub use agent::{AgentFault, Desk, agent_function};
pub use api::Api;
pub use callback::{CallbackEndpoint, CallbackEvent, MAX_FUNCTION_CALLBACK_BYTES, callback_function};
pub use https::HttpsPost;
pub use recorder::LambdaRecorder;
pub use webhooks::SelfInvoking;

/// How the driver of a function's invocations behaves that keeps its large payloads in `payload_bucket`, if there is one.
#[must_use]
pub fn options(payload_bucket: Option<String>) -> Options {
    match payload_bucket {
        Some(bucket) => {
            Options::default().payloads(Payloads::new(S3Payloads::new(bucket).prefix("payloads/")))
        }
        None => Options::default(),
    }
}

/// Runs a function's program to its exit code: errors are one message on standard error, where Lambda's log shows them.
pub fn main<F, E>(serve: impl FnOnce() -> F) -> ExitCode
where
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    durable_runtime::lambda::init_logging();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("can't start: {error}")),
    };
    match runtime.block_on(serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn Display) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}
