//! What durability costs: checkpoint calls and invocations, counted.

use std::time::Duration;

use cross_tests::{
    journal::note,
    runs::{Ended, run},
};
use durable_runtime::prelude::*;

#[durable_step]
async fn work(n: u32) -> Result<u32, Error> {
    note(format!("work {n}"));
    Ok(n)
}

#[durable_step(at_most_once)]
async fn deliver(n: u32) -> Result<u32, Error> {
    note(format!("deliver {n}"));
    Ok(n)
}

#[durable_execution]
async fn sequence(steps: u32) -> Result<u32, Error> {
    let mut sum = 0;
    for n in 0..steps {
        sum += work(n).await?;
    }
    Ok(sum)
}

#[durable_execution]
async fn careful_sequence(steps: u32) -> Result<u32, Error> {
    let mut sum = 0;
    for n in 0..steps {
        sum += deliver(n).await?;
    }
    Ok(sum)
}

fn assert_each_once<T>(ended: &Ended<T>, label: &str, times: u32) {
    for n in 0..times {
        assert_eq!(ended.noted(&format!("{label} {n}")), 1, "{label} {n}");
    }
}

#[test]
fn a_sequential_step_costs_one_round_trip() {
    for steps in [1, 5, 20] {
        let ended = run(sequence, steps);
        assert!(
            ended.checkpoint_calls <= steps as usize + 1,
            "{steps} steps: {} calls",
            ended.checkpoint_calls
        );
        assert_eq!(ended.invocations, 1, "{steps} steps");
        assert_each_once(&ended, "work", steps);
        assert_eq!(ended.value(), (0..steps).sum::<u32>());
    }
}

#[test]
fn an_at_most_once_step_costs_one_round_trip_and_the_first_one_another() {
    for steps in [1, 5, 20] {
        let ended = run(careful_sequence, steps);
        assert!(
            ended.checkpoint_calls <= steps as usize + 2,
            "{steps} steps: {} calls",
            ended.checkpoint_calls
        );
        assert_eq!(ended.invocations, 1, "{steps} steps");
        assert_each_once(&ended, "deliver", steps);
        assert_eq!(ended.value(), (0..steps).sum::<u32>());
    }
}

#[durable_execution]
async fn fan_out(items: u32) -> Result<u32, Error> {
    Ok(map(0..items, work).await?.into_iter().sum())
}

#[test]
fn a_map_of_100_items_costs_at_most_4_calls() {
    let ended = run(fan_out, 100);
    assert!(ended.checkpoint_calls <= 4, "{} calls", ended.checkpoint_calls);
    assert_eq!(ended.invocations, 1);
    assert_each_once(&ended, "work", 100);
    assert_eq!(ended.value(), (0..100).sum::<u32>());
}

#[durable_step]
async fn follow_up(n: u32) -> Result<u32, Error> {
    note(format!("follow up {n}"));
    Ok(n + 1)
}

#[durable_execution]
async fn item_with_a_wait(n: u32) -> Result<u32, Error> {
    let first = work(n).await?;
    wait(Duration::from_secs(u64::from(n % 3) + 1)).await;
    follow_up(first).await
}

#[durable_execution]
async fn fan_out_with_waits(items: u32) -> Result<u32, Error> {
    Ok(map(0..items, item_with_a_wait).await?.into_iter().sum())
}

#[test]
fn a_map_of_100_items_with_waits_suspends_while_all_of_them_wait() {
    let ended = run(fan_out_with_waits, 100);
    assert!(ended.checkpoint_calls <= 12, "{} calls", ended.checkpoint_calls);
    // One to start with, and one for each of the three lengths of the wait.
    assert_eq!(ended.invocations, 4);
    assert_eq!(ended.elapsed, Duration::from_secs(3));
    assert_each_once(&ended, "work", 100);
    assert_each_once(&ended, "follow up", 100);
    assert_eq!(ended.value(), (1..=100).sum::<u32>());
}

#[durable_execution]
async fn stamped(steps: u32) -> Result<String, Error> {
    let begun = now().await;
    let mut sum = 0;
    for n in 0..steps {
        sum += work(n).await?;
        let _stamp = now().await;
        let _label = uuid().await;
        sum += random::<u32>().await % 2;
    }
    let ended = now().await;
    Ok(format!("{sum} {}", ended.since(begun).as_millis()))
}

#[test]
fn moments_and_random_values_cost_no_call_of_their_own() {
    for steps in [1, 5, 20] {
        let ended = run(stamped, steps);
        assert!(
            ended.checkpoint_calls <= steps as usize + 1,
            "{steps} steps: {} calls",
            ended.checkpoint_calls
        );
        assert_eq!(ended.invocations, 1);
    }
}

#[durable_execution]
async fn derived_values() -> Result<(String, u64, f64), Error> {
    Ok((uuid().await.to_string(), random().await, random().await))
}

#[test]
fn identifiers_and_random_numbers_alone_cost_nothing() {
    let ended = run(derived_values, ());
    assert_eq!((ended.checkpoint_calls, ended.operations.len()), (0, 0));
    let (id, _, fraction) = ended.value();
    assert_eq!(id.len(), 36);
    assert!((0.0..1.0).contains(&fraction));
}

#[durable_execution]
async fn waits_in_a_row() -> Result<(), Error> {
    for _ in 0..3 {
        wait(Duration::from_secs(60)).await;
    }
    Ok(())
}

#[test]
fn a_wait_costs_one_call_and_one_invocation() {
    let ended = run(waits_in_a_row, ());
    assert_eq!((ended.checkpoint_calls, ended.invocations), (3, 4));
    assert_eq!(ended.elapsed, Duration::from_secs(180));
}

#[durable_step(retry(max_attempts = 3, initial_delay = "7s", jitter = none))]
async fn third_time_lucky() -> Result<u32, Error> {
    match step_attempt() {
        Some(attempt @ 3..) => Ok(attempt),
        _ => Err(Error::new("not yet")),
    }
}

#[durable_execution]
async fn patient() -> Result<u32, Error> {
    third_time_lucky().await
}

#[test]
fn a_retry_costs_one_call_and_one_invocation() {
    let ended = run(patient, ());
    assert_eq!((ended.checkpoint_calls, ended.invocations), (3, 3));
    assert_eq!(ended.elapsed, Duration::from_secs(7 + 14));
    assert_eq!(ended.value(), 3);
}

#[durable_step]
async fn slow(seconds: u64) -> Result<u64, Error> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(seconds)
}

#[durable_execution]
async fn one_slow_step() -> Result<u64, Error> {
    slow(600).await
}

#[test]
fn a_long_step_becomes_visible_and_is_not_polled_for() {
    let ended = run(one_slow_step, ());
    // Its START after the linger time, its end.
    assert_eq!((ended.checkpoint_calls, ended.invocations), (2, 1));
    assert_eq!(ended.elapsed, Duration::from_secs(600));
}
