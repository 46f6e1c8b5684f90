//! Suite 3: child contexts.

use std::time::Duration;

use durable_runtime::{environment::Options, prelude::*};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{Handler, exit::exit_process, function, serdes::Uppercase, step::fail};

pub(super) const HANDLERS: &[Handler] = &[
    function!("3-1", single_step),
    function!("3-2", named_child),
    function!("3-3", two_steps),
    function!("3-4", failing_step),
    function!("3-7", retried_step),
    function!("3-9", child_then_wait),
    function!("3-10", step_and_wait_inside),
    function!("3-12", interrupted_child),
    function!("3-14", custom_serdes),
    function!("3-15", failing_body),
    function!("3-16", null_child),
    function!("3-17", logging_child).with_options(|_| Options { log_replay: true, ..Options::default() }),
];

#[durable_step]
async fn return_input(input: String) -> Result<String, Error> {
    Ok(input)
}

#[durable_execution]
async fn echo_child(input: String) -> Result<String, Error> {
    return_input(input).await
}

#[durable_execution]
async fn single_step(input: String) -> Result<String, Error> {
    echo_child(input).await
}

#[derive(Serialize, Deserialize)]
struct Named {
    name: String,
    value: String,
}

#[durable_execution]
async fn named_child(input: Named) -> Result<String, Error> {
    echo_child(input.value).named(input.name).await
}

#[durable_execution]
async fn two_steps(input: String) -> Result<String, Error> {
    async {
        let first = return_input(input).await?;
        return_input(first).await
    }
    .named("two-steps")
    .await
}

#[durable_execution]
async fn failing_step() -> Result<String, Error> {
    async { fail().await }.named("failing").await
}

#[durable_step(retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn second_attempt(input: String) -> Result<String, Error> {
    match step_attempt() {
        Some(1) => Err(Error::new("the first attempt fails")),
        _ => Ok(input),
    }
}

#[durable_execution]
async fn retried_step(input: String) -> Result<String, Error> {
    async { second_attempt(input).await }.named("retried").await
}

#[durable_execution]
async fn child_then_wait(input: String) -> Result<String, Error> {
    let echoed = echo_child(input).await?;
    wait("1s").await;
    Ok(echoed)
}

#[durable_execution]
async fn step_and_wait_inside(input: String) -> Result<String, Error> {
    async {
        let echoed = return_input(input).await?;
        wait("1s").await;
        Ok(echoed)
    }
    .named("step-and-wait")
    .await
}

#[durable_step]
async fn crash_if(crashes: bool, input: String) -> Result<String, Error> {
    if crashes {
        // By then the beginnings of the context and of this step are recorded.
        tokio::time::sleep(Duration::from_secs(1)).await;
        exit_process().await;
    }
    Ok(input)
}

#[durable_execution]
async fn interrupted_child(input: String) -> Result<String, Error> {
    async {
        // Only to crash once: code that decides by this what it does next would break replay.
        let is_first_run = !is_replaying();
        crash_if(is_first_run, input).await
    }
    .named("interrupted")
    .await
}

#[durable_execution(serdes = Uppercase)]
async fn shouting_child(input: String) -> Result<String, Error> {
    return_input(input).await
}

#[durable_execution]
async fn custom_serdes(input: String) -> Result<String, Error> {
    shouting_child(input).await
}

#[durable_execution]
async fn failing_child() -> Result<String, Error> {
    Err(Error::new("this child fails by itself"))
}

#[durable_execution]
async fn failing_body() -> Result<String, Error> {
    failing_child().await
}

#[durable_execution]
async fn nothing() -> Result<Option<String>, Error> {
    Ok(None)
}

#[durable_execution]
async fn null_child() -> Result<Option<String>, Error> {
    nothing().await
}

#[durable_execution]
async fn log_only(input: String) -> Result<String, Error> {
    info!("the child was given {input}");
    Ok(input)
}

#[durable_execution]
async fn logging_child(input: String) -> Result<String, Error> {
    let logged = log_only(input).await?;
    wait("1s").await;
    Ok(logged)
}
