//! Suite 1: steps.

use durable_runtime::{ErrorObject, prelude::*};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::{Handler, exit::exit_process, function, serdes::Uppercase};

pub(super) const HANDLERS: &[Handler] = &[
    function!("1-1", greeting),
    function!("1-2", named_step),
    function!("1-3", sequence),
    function!("1-4", complex_object),
    function!("1-6", custom_serdes),
    function!("1-7", logging),
    function!("1-8", step_and_wait),
    function!("1-11", retried),
    function!("1-13", default_retry),
    function!("1-15", retry_of_transient_errors),
    function!("1-16", no_retry_of_transient_errors),
    function!("1-17", at_most_once),
    function!("1-19", permanent_failure),
];

#[durable_step]
pub(super) async fn greet(name: String) -> Result<String, Error> {
    Ok(format!("Hello, {name}!"))
}

#[durable_execution]
pub(super) async fn greeting(name: String) -> Result<String, Error> {
    greet(name).await
}

#[durable_execution]
async fn named_step(name: String) -> Result<String, Error> {
    greet(name).named("custom_step_name").await
}

#[durable_step]
async fn first() -> Result<String, Error> {
    Ok("first".to_owned())
}

#[durable_step]
async fn second(before: &str) -> Result<String, Error> {
    Ok(format!("{before}_second"))
}

#[durable_execution]
async fn sequence() -> Result<String, Error> {
    let before = first().await?;
    second(&before).await
}

#[derive(Clone, Serialize, Deserialize)]
struct User {
    name: String,
    tags: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct UserResponse {
    user: User,
    count: usize,
}

#[durable_step]
async fn build_response(user: User) -> Result<UserResponse, Error> {
    Ok(UserResponse { count: user.tags.len(), user })
}

#[durable_execution]
async fn complex_object(user: User) -> Result<UserResponse, Error> {
    build_response(user).await
}

#[durable_step(serdes = Uppercase)]
async fn return_input(input: String) -> Result<String, Error> {
    Ok(input)
}

#[durable_execution]
async fn custom_serdes(input: String) -> Result<String, Error> {
    return_input(input).await
}

#[durable_step]
async fn greet_with_logs(name: String) -> Result<String, Error> {
    info!("Greeting step started for: {name}");
    let greeting = format!("Hello, {name}!");
    info!("Greeting step completed with: {greeting}");
    Ok(greeting)
}

#[durable_execution]
async fn logging(name: String) -> Result<String, Error> {
    greet_with_logs(name).await
}

#[durable_step]
async fn compute() -> Result<String, Error> {
    Ok("computed".to_owned())
}

#[durable_execution]
async fn step_and_wait() -> Result<String, Error> {
    let computed = compute().await?;
    wait("2s").await;
    Ok(computed)
}

#[durable_step(retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
pub(super) async fn unreliable() -> Result<String, Error> {
    match step_attempt() {
        Some(1) => Err(Error::new("the first attempt fails")),
        _ => Ok("Operation succeeded".to_owned()),
    }
}

#[durable_execution]
pub(super) async fn retried() -> Result<String, Error> {
    unreliable().await
}

#[durable_step]
async fn third_time_lucky() -> Result<String, Error> {
    match step_attempt() {
        Some(attempt @ 1..=2) => Err(Error::new(format!("attempt {attempt} fails"))),
        _ => Ok("Operation succeeded".to_owned()),
    }
}

#[durable_execution]
async fn default_retry() -> Result<String, Error> {
    third_time_lucky().await
}

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{0}")]
struct TransientError(String);

fn is_transient(error: &ErrorObject) -> bool {
    error.kind() == Some("TransientError")
}

fn is_not_transient(error: &ErrorObject) -> bool {
    !is_transient(error)
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none, retry_if = is_transient))]
async fn transient_once() -> Result<String, TransientError> {
    match step_attempt() {
        Some(1) => Err(TransientError("try again".to_owned())),
        _ => Ok("Operation succeeded".to_owned()),
    }
}

#[durable_execution]
async fn retry_of_transient_errors() -> Result<String, TransientError> {
    transient_once().await
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none, retry_if = is_not_transient))]
async fn always_transient() -> Result<String, TransientError> {
    Err(TransientError("not worth another attempt".to_owned()))
}

#[durable_execution]
async fn no_retry_of_transient_errors() -> Result<String, TransientError> {
    always_transient().await
}

#[durable_step(at_most_once, retry(none), name = "at_most_once_flaky_step")]
async fn crash(input: String) -> Result<String, Error> {
    info!("crashing with {input}");
    exit_process().await
}

#[durable_execution]
async fn at_most_once(input: String) -> Result<String, Error> {
    crash(input).await
}

#[durable_step(retry(none))]
pub(super) async fn fail() -> Result<String, Error> {
    Err(Error::new("this step always fails"))
}

#[durable_execution]
async fn permanent_failure() -> Result<String, Error> {
    fail().await
}
