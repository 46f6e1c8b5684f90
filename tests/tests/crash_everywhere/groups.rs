//! Maps, joins, races and what is inside them.

use std::time::Duration;

use durable_runtime::prelude::*;
use durable_testing::{CrashEverywhere, effect};

/// Takes `seconds` of virtual time.
#[durable_step(retry(none))]
async fn takes(label: String, seconds: u64) -> Result<u64, Error> {
    effect(label);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Ok(seconds)
}

#[durable_step(retry(none))]
async fn fails(label: String, seconds: u64) -> Result<u64, Error> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Err(Error::of_kind("Refused", label))
}

#[durable_execution]
async fn item(n: u64) -> Result<u64, Error> {
    let first = takes(format!("first {n}"), n % 2).await?;
    wait(Duration::from_secs(n + 1)).await;
    Ok(first + takes(format!("second {n}"), 1).await? + n)
}

#[durable_execution]
async fn map_of_executions() -> Result<u64, Error> {
    Ok(map(0..4, item).await?.into_iter().sum())
}

#[test]
fn a_map() {
    assert_eq!(CrashEverywhere::new(map_of_executions, || ()).run().result, "Ok(12)");
}

#[durable_execution]
async fn narrow_flat_map() -> Result<u64, Error> {
    let values = map(0..4, |n| async move {
        let value = takes(format!("flat {n}"), 1).await?;
        wait(Duration::from_secs(1)).await;
        Ok::<_, Error>(value + n)
    })
    .flat()
    .max_concurrency(2)
    .key_by(|n| *n)
    .await?;
    Ok(values.into_iter().sum())
}

#[test]
fn a_flat_map_with_two_slots() {
    assert_eq!(CrashEverywhere::new(narrow_flat_map, || ()).run().result, "Ok(10)");
}

#[durable_execution]
async fn early_map() -> Result<String, Error> {
    let batch = map([1, 50, 2, 60], |seconds| takes(format!("early {seconds}"), seconds))
        .min_successful(2)
        .outcome()
        .await;
    takes("after".into(), 1).await?;
    Ok(format!("{:?} {:?}", batch.succeeded().collect::<Vec<_>>(), batch.completion_reason))
}

#[test]
fn a_map_that_ends_early() {
    assert_eq!(CrashEverywhere::new(early_map, || ()).run().result, "Ok(\"[1, 2] MinSuccessfulReached\")");
}

#[durable_execution]
async fn intolerant_map() -> Result<Vec<u64>, Error> {
    map([9, 1, 9], |seconds| async move {
        if seconds == 1 { fails("one".into(), 1).await } else { takes("nine".into(), seconds).await }
    })
    .await
}

#[test]
fn a_map_that_fails() {
    let report = CrashEverywhere::new(intolerant_map, || ()).run();
    assert!(report.result.contains("\"Refused\", message: \"one\""), "{}", report.result);
}

#[durable_execution]
async fn tolerant_map() -> Result<String, Error> {
    let batch = map(0..4, |n| async move {
        if n % 2 == 0 { fails(format!("fails {n}"), n).await } else { takes(format!("takes {n}"), n).await }
    })
    .tolerated_failures(2)
    .outcome()
    .await;
    wait(Duration::from_secs(1)).await;
    Ok(format!(
        "{:?} {:?}",
        batch.errors().map(ToString::to_string).collect::<Vec<_>>(),
        batch.completion_reason
    ))
}

#[test]
fn a_map_that_tolerates_failures() {
    let report = CrashEverywhere::new(tolerant_map, || ()).run();
    assert!(report.result.contains("fails 0") && report.result.contains("AllCompleted"), "{}", report.result);
}

#[durable_execution]
async fn maps_in_a_join() -> Result<u64, Error> {
    let (left, right, step) = join!(
        map(0..2, |n| async move { Ok::<_, Error>(map(0..2, item).await?.into_iter().sum::<u64>() + n) }),
        map(2..4, |n| takes(format!("right {n}"), n)),
        takes("beside".into(), 3),
    )
    .await;
    Ok(left?.into_iter().sum::<u64>() + right?.into_iter().sum::<u64>() + step?)
}

#[test]
fn maps_inside_a_join() {
    assert_eq!(CrashEverywhere::new(maps_in_a_join, || ()).run().result, "Ok(17)");
}

#[durable_execution]
async fn wait_beside_a_step() -> Result<u64, Error> {
    let (waited, worked) = join!(
        async {
            wait(Duration::from_secs(2)).await;
            takes("after the wait".into(), 1).await
        },
        takes("beside the wait".into(), 10),
    )
    .await;
    Ok(waited? + worked?)
}

#[test]
fn a_wait_beside_a_long_step() {
    assert_eq!(CrashEverywhere::new(wait_beside_a_step, || ()).run().result, "Ok(11)");
}

#[durable_execution]
async fn races() -> Result<u64, Error> {
    let first = race!(
        async {
            wait(Duration::from_secs(60)).await;
            takes("never".into(), 1).await
        },
        async {
            wait(Duration::from_secs(5)).await;
            takes("winner".into(), 1).await
        },
    )
    .await?;
    let second = race!(
        async {
            wait(Duration::from_secs(9)).await;
            Ok::<u64, Error>(9)
        },
        takes("fast".into(), 2)
    )
    .await?;
    takes("after".into(), 1).await?;
    Ok(first * 100 + second)
}

#[test]
fn races_of_waits_and_steps() {
    let report = CrashEverywhere::new(races, || ()).run();
    assert_eq!(report.result, "Ok(102)");
    assert!(!report.effects.iter().any(|effect| effect == "never"));
}

#[durable_execution]
async fn selects() -> Result<u64, Error> {
    let selected =
        select_ok!(fails("first".into(), 1), takes("works".into(), 3), fails("last".into(), 2)).await?;
    let vain = select_ok!(fails("a".into(), 1), fails("b".into(), 2)).await;
    takes("after".into(), 1).await?;
    Ok(selected + u64::from(vain.is_err()))
}

#[test]
fn the_first_success() {
    assert_eq!(CrashEverywhere::new(selects, || ()).run().result, "Ok(4)");
}

#[durable_execution]
async fn tries() -> Result<(u64, u64), Error> {
    let both = try_join!(takes("one".into(), 1), takes("two".into(), 2)).await?;
    let failed = try_join!(takes("long".into(), 30), fails("short".into(), 1)).await;
    takes("after".into(), 1).await?;
    failed.map(|_| both).or(Ok(both))
}

#[test]
fn joins_that_succeed_and_fail() {
    assert_eq!(CrashEverywhere::new(tries, || ()).run().result, "Ok((1, 2))");
}

#[durable_execution]
async fn in_parallel() -> Result<Vec<u64>, Error> {
    parallel((1..4).map(|n| takes(format!("parallel {n}"), n))).named("all").await
}

#[test]
fn operations_in_parallel() {
    assert_eq!(CrashEverywhere::new(in_parallel, || ()).run().result, "Ok([1, 2, 3])");
}
