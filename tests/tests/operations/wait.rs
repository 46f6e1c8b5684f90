//! Waits.

use std::time::Duration;

use cross_tests::{
    journal::note,
    runs::{run, run_twice},
};
use durable_runtime::{prelude::*, protocol::OperationType};

#[durable_step]
async fn before() -> Result<u32, Error> {
    note("before");
    Ok(1)
}

#[durable_execution]
async fn waits(milliseconds: u64) -> Result<u32, Error> {
    let value = before().await?;
    wait(Duration::from_millis(milliseconds)).named("a while").await;
    Ok(value)
}

#[test]
fn a_wait_takes_its_time_and_suspends() {
    let ended = run(waits, 86_400_000);
    assert_eq!((ended.elapsed, ended.invocations), (Duration::from_secs(86_400), 2));
    assert_eq!(ended.named("a while").operation_type, OperationType::Wait);
    assert_eq!((ended.noted("before"), ended.value()), (1, 1));
}

#[test]
fn a_fraction_of_a_second_is_a_whole_one() {
    assert_eq!(run(waits, 1).elapsed, Duration::from_secs(1));
    assert_eq!(run(waits, 1_001).elapsed, Duration::from_secs(2));
}

#[test]
fn a_wait_out_of_range_fails_the_execution_after_what_was_done_is_recorded() {
    for milliseconds in [0, 31_622_401_000] {
        let ended = run(waits, milliseconds);
        assert_eq!(ended.error().kind(), Some("InvalidWait"));
        assert!(ended.error().message().contains("`a while`"), "{}", ended.error());
        assert!(ended.named("before").status.is_terminal());
        assert_eq!(ended.of_type(OperationType::Wait).len(), 0);
    }
}

#[test]
fn a_wait_may_last_as_long_as_the_service_allows() {
    // The execution's own limit is as long, and strikes in the same second.
    let ended = run(waits, 31_622_399_000);
    assert_eq!(ended.elapsed, Duration::from_secs(31_622_399));
    assert_eq!(ended.value(), 1);
}

#[durable_execution]
async fn waits_until(seconds: u64) -> Result<u64, Error> {
    let begun = now().await;
    wait_until(begun.after(Duration::from_secs(seconds))).await;
    Ok(now().await.since(begun).as_secs())
}

#[test]
fn a_moment_is_waited_for() {
    assert_eq!(run(waits_until, 3600).value(), 3600);
}

#[durable_execution]
async fn waits_for_the_past() -> Result<u64, Error> {
    let begun = now().await;
    wait_until(Timestamp::from_millis(0)).await;
    Ok(now().await.since(begun).as_secs())
}

#[test]
fn a_moment_that_is_past_makes_the_shortest_wait() {
    assert_eq!(run(waits_for_the_past, ()).value(), 1);
}

#[durable_execution]
async fn same_moment() -> Result<bool, Error> {
    let first = now().await;
    note(format!("{}", first.as_millis()));
    wait(Duration::from_secs(10)).await;
    Ok(now().await.since(first).as_secs() == 10)
}

#[test]
fn a_recorded_moment_is_the_same_on_replay() {
    let ended = run(same_moment, ());
    assert_eq!(ended.notes.len(), 2);
    assert_eq!(ended.notes[0], ended.notes[1]);
    assert!(ended.value());
}

#[durable_execution]
async fn same_values() -> Result<(), Error> {
    let values =
        (uuid().await, uuid().await, random::<u64>().await, random::<u64>().await, random::<bool>().await);
    note(format!("{values:?}"));
    if values.0 == values.1 || values.2 == values.3 {
        return Err(Error::new("two draws are alike"));
    }
    wait(Duration::from_secs(10)).await;
    Ok(())
}

#[test]
fn derived_values_differ_from_each_other_and_are_the_same_on_replay() {
    let (first, second) = run_twice(same_values);
    assert_eq!(first.notes[0], first.notes[1]);
    assert_ne!(first.notes[0], second.notes[0]);
    assert!(first.output.unwrap().is_ok());
}
