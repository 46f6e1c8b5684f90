//! The edges of what the service takes, and options that change when an execution suspends.

use std::{fmt, time::Duration};

use cross_tests::{
    journal::note,
    runs::{finish, run, run_in_world},
};
use durable_runtime::{environment::Options, prelude::*};
use durable_testing::{TestEngine, virtual_time};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Verbose {
    log: String,
}

impl fmt::Display for Verbose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.log)
    }
}

#[durable_step(retry(none))]
async fn complains(bytes: usize) -> Result<u32, Verbose> {
    Err(Verbose { log: "!".repeat(bytes) })
}

#[durable_execution]
async fn looks_at_the_complaint(bytes: usize) -> Result<usize, Error> {
    let first = complains(bytes).await.err().map_or(0, |error| error.log.len());
    note(format!("{first}"));
    wait(Duration::from_secs(1)).await;
    Ok(first)
}

#[test]
fn a_long_error_is_the_same_on_the_first_run_and_on_replay() {
    let ended = run(looks_at_the_complaint, 20_000);
    assert_eq!(ended.notes, ["20000", "20000"]);
    assert_eq!(ended.value(), 20_000);
}

#[test]
fn an_error_that_can_not_be_stored_ends_the_execution_before_anybody_sees_it() {
    let ended = run(looks_at_the_complaint, 40_000);
    assert_eq!(ended.notes, [] as [&str; 0]);
    for part in ["`complains`", "32768"] {
        assert!(ended.error().message().contains(part), "{part} in {}", ended.error());
    }
}

#[durable_step(retry(none))]
async fn complains_anyhow(bytes: usize) -> Result<u32, Error> {
    Err(Error::of_kind("Verbose", "!".repeat(bytes)))
}

#[durable_execution]
async fn looks_at_any_complaint(bytes: usize) -> Result<usize, Error> {
    let first = complains_anyhow(bytes).await;
    let kind = first.as_ref().err().map(Error::kind).unwrap_or_default().to_owned();
    let length = first.err().map_or(0, |error| error.to_string().len());
    note(format!("{kind} {length}"));
    wait(Duration::from_secs(1)).await;
    Ok(length)
}

#[test]
fn an_error_of_our_own_is_shortened_until_it_fits_and_is_the_same_on_replay() {
    let ended = run(looks_at_any_complaint, 100_000);
    assert_eq!(ended.notes[0], ended.notes[1]);
    assert!(ended.notes[0].starts_with("Verbose "));
    assert!((1_000..32_768).contains(&ended.value()));
}

#[durable_execution]
async fn returns(bytes: usize) -> Result<String, Error> {
    Ok("r".repeat(bytes))
}

const MOST: usize = 6 * 1024 * 1024;

#[test]
fn a_result_that_no_answer_of_an_invocation_can_carry_is_checkpointed() {
    // Two bytes are the quotes.
    let ended = run(returns, MOST - 2);
    assert_eq!(ended.checkpoint_calls, 1);
    assert_eq!(ended.value().len(), MOST - 2);
}

#[test]
fn a_result_that_an_answer_can_carry_costs_no_call() {
    // The answer is JSON in JSON: its own quotes, and the result's, which are escaped.
    let ended = run(returns, MOST - 56);
    assert_eq!((ended.checkpoint_calls, ended.value().len()), (0, MOST - 56));
}

#[durable_execution]
async fn returns_quotes(count: usize) -> Result<String, Error> {
    Ok("\"".repeat(count))
}

#[test]
fn what_escaping_makes_too_long_for_an_answer_is_checkpointed() {
    let ended = run(returns_quotes, 2_000_000);
    assert_eq!((ended.checkpoint_calls, ended.value().len()), (1, 2_000_000));
}

#[test]
fn a_result_over_the_limit_of_executions_fails_with_the_limit() {
    let ended = run(returns, MOST);
    assert_eq!((ended.error().kind(), ended.checkpoint_calls), (Some("PayloadTooLarge"), 0));
    assert!(ended.error().message().contains(&MOST.to_string()), "{}", ended.error());
}

#[durable_execution]
async fn waits() -> Result<(), Error> {
    wait(Duration::from_secs(5)).await;
    wait(Duration::from_secs(50)).await;
    Ok(())
}

#[test]
fn a_short_wait_can_be_waited_out_in_process() {
    virtual_time(async {
        let options = Options { wait_in_process: Duration::from_secs(10), ..Options::default() };
        let test = TestEngine::with_options(options);
        let run = test.start(waits, ()).await;
        let ended = finish(&test, &run).await;
        assert_eq!((ended.invocations, ended.elapsed), (2, Duration::from_secs(55)));
        assert!(ended.output.unwrap().is_ok());
    });
}

#[durable_execution]
async fn count_down(n: u32) -> Result<u32, Error> {
    if n == 0 {
        wait(Duration::from_secs(1)).await;
        return Ok(0);
    }
    Ok(count_down(n - 1).await? + 1)
}

#[test]
fn contexts_nest_deeply() {
    assert_eq!(run(count_down, 100).value(), 100);
}

#[durable_step]
async fn square(n: u64) -> Result<u64, Error> {
    Ok(n * n)
}

#[durable_execution]
async fn wide(items: u64) -> Result<u64, Error> {
    let squares = map(0..items, square).await?;
    wait(Duration::from_secs(1)).await;
    Ok(squares.into_iter().sum())
}

#[test]
fn groups_are_wide() {
    let ended = run(wide, 3_000);
    assert!(ended.checkpoint_calls <= 50, "{} calls", ended.checkpoint_calls);
    assert_eq!(ended.value(), (0..3_000_u64).map(|n| n * n).sum::<u64>());
}

#[durable_execution]
async fn long(steps: u64) -> Result<u64, Error> {
    let mut sum = 0;
    for n in 0..steps {
        sum += square(n).await?;
        if n % 500 == 0 {
            wait(Duration::from_secs(1)).await;
        }
    }
    Ok(sum)
}

#[test]
fn executions_are_long() {
    let ended = run(long, 3_000);
    assert_eq!(ended.invocations, 7);
    assert_eq!(ended.value(), (0..3_000_u64).map(|n| n * n).sum::<u64>());
}

#[durable_execution]
async fn leaves_a_loser_behind() -> Result<u32, Error> {
    race!(async { wait(Duration::from_secs(60)).await }, async { wait(Duration::from_secs(600)).await })
        .await;
    Ok(callback("answer").create().await.result().await?)
}

#[test]
fn the_timer_of_a_loser_changes_nothing() {
    let ended = run_in_world(leaves_a_loser_behind, (), |world| async move {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        world.complete("answer", &1).await;
    });
    assert_eq!(ended.elapsed, Duration::from_secs(3_600));
    assert_eq!(ended.value(), 1);
}

#[durable_execution]
async fn too_many(items: u64) -> Result<usize, Error> {
    Ok(map(0..items, square).await?.len())
}

#[test]
fn an_execution_with_more_operations_than_the_service_takes_fails() {
    let ended = run(too_many, 15_001);
    assert_eq!(ended.error().kind(), Some("OperationLimitExceeded"), "{}", ended.error());
}
