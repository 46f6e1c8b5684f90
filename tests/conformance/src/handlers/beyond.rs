//! What no requirement at hand asks for, and the service's documentation does: `beyond/`.

use durable_runtime::{environment::Options, prelude::*};
use serde_json::Value;
use tracing::info;

use super::{
    Handler,
    exit::exit_process,
    function,
    plugin::about_steps,
    step::{fail, greet},
};

pub(super) const HANDLERS: &[Handler] = &[
    function!("at-most-once-retried", at_most_once_retried),
    function!("silent-on-replay", silent_on_replay),
    function!("one-minute", one_minute),
    function!("large-child", large_child)
        .with_options(|_| Options { log_replay: true, ..Options::default() }),
    function!("null-invoke", null_invoke),
    function!("unknown-function", unknown_function),
    function!("empty-payload", empty_payload),
    function!("submitter-retried", submitter_retried),
    function!("exhausted", exhausted),
    function!("no-branches", no_branches),
    function!("first-error", first_error),
    function!("waiting-items", waiting_items),
    function!("failed-operation", failed_operation).with_options(about_steps),
];

#[durable_step(at_most_once, retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn crash_once() -> Result<String, Error> {
    if step_attempt() == Some(1) {
        exit_process().await;
    }
    Ok("survived".to_owned())
}

#[durable_execution]
async fn at_most_once_retried() -> Result<String, Error> {
    crash_once().await
}

#[durable_execution]
async fn silent_on_replay(name: String) -> Result<String, Error> {
    info!("begin {name}");
    let greeting = greet(name.clone()).await?;
    wait("1s").await;
    info!("waited {name}");
    Ok(greeting)
}

#[durable_execution]
async fn one_minute() -> Result<(), Error> {
    wait("1m").await;
    Ok(())
}

#[durable_execution]
async fn grow(input: String) -> Result<String, Error> {
    info!("growing {input}");
    Ok(input.repeat(40_000))
}

#[durable_execution]
async fn large_child(input: String) -> Result<usize, Error> {
    let grown = grow(input).await?;
    wait("1s").await;
    Ok(grown.len())
}

#[durable_execution]
async fn null_invoke() -> Result<Option<String>, Error> {
    Ok(invoke("conformance-echo:$LATEST", &()).await?)
}

#[durable_execution]
async fn unknown_function() -> Result<Value, Error> {
    Ok(invoke("conformance-nowhere:$LATEST", &()).await?)
}

#[durable_step]
async fn submit(_id: CallbackId) -> Result<(), Error> {
    Ok(())
}

#[durable_execution]
async fn empty_payload() -> Result<Option<String>, Error> {
    callback("empty").submit(submit).await
}

#[durable_step(retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn submit_at_last(_id: CallbackId) -> Result<(), Error> {
    if step_attempt() == Some(1) { Err(Error::new("nobody is there yet")) } else { Ok(()) }
}

#[durable_execution]
async fn submitter_retried() -> Result<String, Error> {
    callback("late").submit(submit_at_last).await
}

#[durable_step]
async fn never(count: u32) -> Result<Condition<u32>, Error> {
    Ok(Condition::NotYet(count + 1))
}

#[durable_execution]
async fn exhausted() -> Result<u32, Error> {
    wait_for_condition(0, never).every("1s").max_attempts(2).await
}

#[durable_execution]
async fn no_branches() -> Result<Vec<String>, Error> {
    parallel(Vec::<BoxOp<'_, Result<String, Error>>>::new()).named("empty").await
}

#[durable_execution]
async fn first_error() -> Result<Vec<String>, Error> {
    parallel([greet("Ada".to_owned()).boxed(), fail().boxed(), greet("never".to_owned()).boxed()])
        .max_concurrency(1)
        .await
}

#[durable_execution]
async fn waiting_items(items: Vec<String>) -> Result<Vec<String>, Error> {
    map(items, |item| async move {
        wait("1s").await;
        Ok::<_, Error>(item.to_uppercase())
    })
    .named("waiting")
    .max_concurrency(1)
    .await
}

#[durable_execution]
async fn failed_operation() -> Result<String, Error> {
    let failed = fail().await;
    Ok(failed.unwrap_or_else(|error| error.to_string()))
}
