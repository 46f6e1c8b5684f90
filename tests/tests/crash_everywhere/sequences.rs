//! Steps, waits, retries, conditions, child contexts.

use std::time::Duration;

use cross_tests::journal;
use durable_runtime::prelude::*;
use durable_testing::{CrashEverywhere, Scenario, effect};

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn act(label: String) -> Result<usize, Error> {
    effect(label.clone());
    Ok(label.len())
}

#[durable_execution]
async fn steps_in_a_row(count: u32) -> Result<usize, Error> {
    let mut total = 0;
    for n in 0..count {
        total += act(format!("act {n}")).await?;
    }
    Ok(total)
}

#[test]
fn steps() {
    let report = CrashEverywhere::new(steps_in_a_row, || 5).run();
    assert_eq!(report.result, "Ok(25)");
    assert_eq!(report.effects.len(), 5);
    // Before and after each call, at the beginning and at the end.
    assert_eq!(report.boundaries, 2 * report.checkpoint_calls + 2);
}

#[durable_step(at_most_once)]
async fn ship(n: u32) -> Result<String, Error> {
    journal::note(current_step().map(|step| step.idempotency_key()).unwrap_or_default());
    Ok(format!("parcel {n}"))
}

/// Knows that a parcel may or may not have been sent, and goes on in the same way.
#[durable_execution]
async fn ships_carefully(count: u32) -> Result<u32, Error> {
    for n in 0..count {
        match ship(n).await {
            Ok(_) => {}
            Err(error) if error.kind() == "Interrupted" => {}
            Err(error) => return Err(error),
        }
        act(format!("after {n}")).await?;
    }
    Ok(count)
}

#[test]
fn at_most_once_steps_run_at_most_once() {
    let campaign = CrashEverywhere::of(|| {
        let _before = journal::take();
        Scenario::new(ships_carefully, 3).left(|| {
            let mut keys = journal::take();
            let all = keys.len();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), all, "a step of an execution ran twice");
        })
    });
    assert_eq!(campaign.run().result, "Ok(3)");
}

#[durable_step(retry(max_attempts = 4, initial_delay = "2s", jitter = none))]
async fn third_time(label: &str) -> Result<u32, Error> {
    effect(label);
    match step_attempt() {
        Some(attempt @ 3..) => Ok(attempt),
        _ => Err(Error::new("busy")),
    }
}

#[durable_execution]
async fn retries() -> Result<u32, Error> {
    Ok(third_time("a").await? + third_time("b").await?)
}

#[test]
fn attempts_are_counted_across_crashes() {
    assert_eq!(CrashEverywhere::new(retries, || ()).run().result, "Ok(6)");
}

#[durable_step(at_most_once, retry(max_attempts = 5, initial_delay = "1s", jitter = none))]
async fn careful(n: u32) -> Result<u32, Error> {
    if step_attempt() == Some(1) { Err(Error::new("busy")) } else { Ok(n) }
}

#[durable_execution]
async fn careful_retries() -> Result<u32, Error> {
    Ok(careful(1).await? + careful(2).await?)
}

#[test]
fn an_interruption_is_retried_under_the_policy() {
    assert_eq!(CrashEverywhere::new(careful_retries, || ()).run().result, "Ok(3)");
}

#[durable_execution]
async fn waits() -> Result<u64, Error> {
    let begun = now().await;
    for n in 1..4 {
        act(format!("before {n}")).await?;
        wait(Duration::from_secs(n * 10)).await;
    }
    wait_until(begun.after(Duration::from_secs(100))).await;
    Ok(now().await.since(begun).as_secs())
}

#[test]
fn waits_and_moments() {
    assert_eq!(CrashEverywhere::new(waits, || ()).run().result, "Ok(100)");
}

#[durable_execution]
async fn derived() -> Result<bool, Error> {
    let (first, second) = (uuid().await, random::<u64>().await);
    let stored = step!("store", { Ok::<_, Error>((first, second)) }).await?;
    wait(Duration::from_secs(1)).await;
    Ok(stored == (first, second))
}

#[test]
fn derived_values() {
    assert_eq!(CrashEverywhere::new(derived, || ()).run().result, "Ok(true)");
}

#[durable_step]
async fn look(seen: Vec<u32>) -> Result<Condition<Vec<u32>>, Error> {
    let mut seen = seen;
    if seen.len() == 3 {
        return Ok(Condition::Met(seen));
    }
    seen.push(step_attempt().unwrap_or_default());
    Ok(Condition::NotYet(seen))
}

#[durable_execution]
async fn condition() -> Result<Vec<u32>, Error> {
    let seen = wait_for_condition(Vec::new(), look).every("5s").await?;
    act("met".into()).await?;
    Ok(seen)
}

#[test]
fn a_condition() {
    assert_eq!(CrashEverywhere::new(condition, || ()).run().result, "Ok([1, 2, 3])");
}

#[durable_execution]
async fn nested(depth: u32) -> Result<usize, Error> {
    let here = act(format!("depth {depth}")).await?;
    if depth == 0 {
        wait(Duration::from_secs(5)).await;
        return Ok(here);
    }
    Ok(here + nested(depth - 1).await?)
}

#[test]
fn nested_executions() {
    assert_eq!(CrashEverywhere::new(nested, || 3).run().result, "Ok(28)");
}

#[durable_step(retry(none))]
async fn refuse(label: &str) -> Result<usize, Error> {
    effect(label);
    Err(Error::of_kind("Refused", label))
}

#[durable_execution]
async fn failing_child() -> Result<usize, Error> {
    act("child".into()).await?;
    refuse("child refuses").await
}

#[durable_execution]
async fn compensates() -> Result<String, Error> {
    let failed = failing_child().await;
    let block = async { Ok::<_, Error>(act("undo 1".into()).await? + act("undo 2".into()).await?) }
        .named("undo")
        .await?;
    wait(Duration::from_secs(1)).await;
    Ok(format!("{failed:?} {block}"))
}

#[test]
fn a_failed_child_and_a_named_block() {
    let report = CrashEverywhere::new(compensates, || ()).run();
    assert!(report.result.contains("Refused") && report.result.contains("12"), "{}", report.result);
}

#[durable_execution]
async fn fails_in_the_end() -> Result<usize, Error> {
    act("first".into()).await?;
    refuse("last").await
}

#[test]
fn a_failing_execution() {
    assert!(
        CrashEverywhere::new(fails_in_the_end, || ())
            .run()
            .result
            .starts_with("Err(Error { kind: \"Refused\"")
    );
}

#[durable_execution]
async fn panics_in_the_end() -> Result<usize, Error> {
    let value = act("first".into()).await?;
    assert_eq!(value, 0, "five letters");
    Ok(value)
}

#[test]
fn a_panicking_execution() {
    assert!(CrashEverywhere::new(panics_in_the_end, || ()).run().result.contains("five letters"));
}
