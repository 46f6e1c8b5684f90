//! Retries: when, how often, after what.

use std::time::Duration;

use cross_tests::{journal::note, runs::run};
use durable_runtime::{
    ErrorObject, Interruption,
    prelude::*,
    protocol::{OperationStatus, OperationType},
};

#[durable_step]
async fn hopeless() -> Result<u32, Error> {
    note(format!("attempt {}", step_attempt().unwrap_or_default()));
    Err(Error::of_kind("Busy", "come back later"))
}

#[durable_execution]
async fn default_policy() -> Result<u32, Error> {
    hopeless().await
}

#[test]
fn by_default_a_step_has_6_attempts_with_growing_delays() {
    let ended = run(default_policy, ());
    assert_eq!(ended.notes, ["attempt 1", "attempt 2", "attempt 3", "attempt 4", "attempt 5", "attempt 6"]);
    // Full jitter: each delay is between 1 s and 5, 10, 20, 40 and 60 s.
    assert!((5..=135).contains(&ended.elapsed.as_secs()), "{:?}", ended.elapsed);
    assert_eq!(ended.named("hopeless").step_details.as_ref().and_then(|step| step.attempt), Some(6));
    assert_eq!(ended.failure(), Error::of_kind("Busy", "come back later"));
}

#[durable_step(retry(max_attempts = 4, initial_delay = "2s", backoff = 3.0, max_delay = "10s", jitter = none))]
async fn fourth_time(until: u32) -> Result<u32, Error> {
    note("attempt");
    let attempt = step_attempt().unwrap_or_default();
    if attempt < until { Err(Error::new("busy")) } else { Ok(attempt) }
}

#[durable_execution]
async fn with_policy(until: u32) -> Result<u32, Error> {
    fourth_time(until).await
}

#[test]
fn delays_grow_by_the_policy_up_to_its_limit() {
    let ended = run(with_policy, 4);
    assert_eq!(ended.elapsed, Duration::from_secs(2 + 6 + 10));
    assert_eq!((ended.noted("attempt"), ended.value()), (4, 4));
}

#[test]
fn the_last_attempts_error_is_the_steps() {
    let ended = run(with_policy, 5);
    assert_eq!(ended.noted("attempt"), 4);
    assert_eq!(ended.failure().to_string(), "busy");
}

#[durable_step(retry(none))]
async fn once() -> Result<u32, Error> {
    note("attempt");
    Err(Error::new("no"))
}

#[durable_execution]
async fn no_retry() -> Result<u32, Error> {
    once().await
}

#[test]
fn a_step_without_retries_fails_at_once() {
    let ended = run(no_retry, ());
    assert_eq!((ended.noted("attempt"), ended.elapsed, ended.invocations), (1, Duration::ZERO, 1));
    assert_eq!(ended.failure().to_string(), "no");
}

fn is_transient(error: &ErrorObject) -> bool {
    error.kind() == Some("Transient")
}

#[durable_step(retry(max_attempts = 5, initial_delay = "1s", jitter = none, retry_if = is_transient))]
async fn fails_twice_differently() -> Result<u32, Error> {
    note("attempt");
    let kind = if step_attempt() == Some(1) { "Transient" } else { "Fatal" };
    Err(Error::of_kind(kind, kind))
}

#[durable_execution]
async fn picky() -> Result<u32, Error> {
    fails_twice_differently().await
}

#[test]
fn only_errors_that_the_policy_wants_are_retried() {
    let ended = run(picky, ());
    assert_eq!(ended.noted("attempt"), 2);
    assert_eq!(ended.failure().kind(), "Fatal");
}

const AT_ONCE: RetryPolicy = RetryPolicy {
    max_attempts: 2,
    initial_delay: Duration::from_secs(1),
    jitter: Jitter::None,
    ..RetryPolicy::DEFAULT
};

#[durable_execution]
async fn policy_of_the_call() -> Result<u32, Error> {
    hopeless().retry(AT_ONCE).await
}

#[test]
fn a_call_can_have_a_policy_of_its_own() {
    let ended = run(policy_of_the_call, ());
    assert_eq!((ended.notes.len(), ended.elapsed), (2, Duration::from_secs(1)));
}

#[durable_step(timeout = "5s", retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn never_ready(from: u32) -> Result<u32, Error> {
    note("attempt");
    if step_attempt() < Some(from) {
        std::future::pending::<()>().await;
    }
    Ok(from)
}

#[durable_execution]
async fn limited(from: u32) -> Result<u32, Error> {
    never_ready(from).await
}

#[test]
fn a_timeout_is_a_failed_attempt_and_counts_for_each_attempt_anew() {
    let ended = run(limited, 2);
    assert_eq!(ended.elapsed, Duration::from_secs(5 + 1));
    assert_eq!((ended.noted("attempt"), ended.value()), (2, 2));
}

#[test]
fn after_the_last_timeout_the_caller_gets_its_own_error_made_from_the_interruption() {
    let ended = run(limited, 3);
    assert_eq!((ended.noted("attempt"), ended.elapsed), (2, Duration::from_secs(5 + 1 + 5)));
    let expected = Interrupted {
        step: "never_ready".into(),
        attempt: 2,
        reason: Interruption::TimedOut { milliseconds: 5_000 },
    };
    assert_eq!(ended.failure(), Error::from(expected));
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn panics(until: u32) -> Result<u32, Error> {
    note("attempt");
    assert!(step_attempt() >= Some(until), "the disk is full");
    Ok(until)
}

#[durable_execution]
async fn survives_panics(until: u32) -> Result<u32, Error> {
    panics(until).await
}

#[test]
fn a_panic_is_a_failed_attempt_under_the_same_policy() {
    let ended = run(survives_panics, 3);
    assert_eq!(ended.elapsed, Duration::from_secs(1 + 2));
    assert_eq!((ended.noted("attempt"), ended.value()), (3, 3));
}

#[test]
fn a_panic_in_the_last_attempt_fails_the_execution_with_its_message() {
    let ended = run(survives_panics, 4);
    assert_eq!(ended.noted("attempt"), 3);
    assert_eq!(ended.named("panics").status, OperationStatus::Failed);
    assert_eq!(
        ended.error().message(),
        "step `panics` was interrupted in attempt 3: it panicked: the disk is full"
    );
}

#[durable_step(at_most_once)]
async fn panics_at_most_once() -> Result<u32, Error> {
    panic!("half-way")
}

#[durable_execution]
async fn reads_the_panic() -> Result<String, Error> {
    match panics_at_most_once().await {
        Ok(_) => Ok("no error".into()),
        Err(error) => Ok(format!("{}: {error}", error.kind())),
    }
}

#[test]
fn a_panic_reaches_the_caller_where_its_error_can_carry_it() {
    let text = run(reads_the_panic, ()).value();
    assert!(text.starts_with("Interrupted: ") && text.contains("half-way"), "{text}");
}

#[durable_step(at_most_once, retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn careful() -> Result<u32, Error> {
    note("attempt");
    let attempt = step_attempt().unwrap_or_default();
    if attempt < 3 { Err(Error::new("busy")) } else { Ok(attempt) }
}

#[durable_execution]
async fn careful_with_retries() -> Result<u32, Error> {
    careful().await
}

#[test]
fn an_at_most_once_step_with_a_policy_is_retried_after_errors() {
    let ended = run(careful_with_retries, ());
    assert_eq!(ended.of_type(OperationType::Step).len(), 1);
    assert_eq!((ended.noted("attempt"), ended.value()), (3, 3));
}

#[durable_execution]
async fn in_place(limit: u32) -> Result<u32, Error> {
    let mut tries = 0;
    let value = step!("in place", retry(max_attempts = 3, initial_delay = "1s", jitter = none), {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let attempt = step_attempt().unwrap_or_default();
        if attempt < limit { Err(Error::new("busy")) } else { Ok(attempt) }
    })
    .await?;
    tries += value;
    Ok(tries)
}

#[test]
fn a_step_in_place_is_retried_and_borrows_what_is_around_it() {
    assert_eq!(run(in_place, 3).value(), 3);
}
