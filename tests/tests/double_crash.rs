//! The process dies twice, at every pair of boundaries: the second time while it recovers from the first, or later.

use std::{fmt::Debug, time::Duration};

use durable_runtime::{Root, prelude::*};
use durable_testing::{CrashEverywhere, World, effect as note};

/// Crashes `function` at every pair of boundaries and gives the result that all runs had.
fn die_twice<F, Fut>(function: F, world: fn(World) -> Fut) -> String
where
    F: Root<(), Input = ()> + Clone,
    F::Output: Debug + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    CrashEverywhere::new(function, || ()).world(world).pairs().run().result
}

async fn nobody(_: World) {}

#[durable_step]
async fn act(label: String) -> Result<u32, Error> {
    note(label);
    Ok(1)
}

#[durable_execution]
async fn early_flat_map() -> Result<Vec<u64>, Error> {
    let batch = map([3_u64, 1, 2, 9], |seconds| async move {
        act(format!("before {seconds}")).await?;
        wait(Duration::from_secs(seconds)).await;
        act(format!("after {seconds}")).await?;
        Ok::<_, Error>(seconds)
    })
    .flat()
    .max_concurrency(3)
    .min_successful(2)
    .outcome()
    .await;
    act("map".into()).await?;
    wait(Duration::from_secs(30)).await;
    Ok(batch.succeeded().copied().collect())
}

#[test]
fn a_flat_map_that_ends_early() {
    assert_eq!(die_twice(early_flat_map, nobody), "Ok([1, 2])");
}

#[durable_step(retry(max_attempts = 10, initial_delay = "3s", jitter = none))]
async fn never() -> Result<u32, Error> {
    Err(Error::new("busy"))
}

#[durable_execution]
async fn limited_retries() -> Result<u32, Error> {
    let limit = race!(never(), async {
        wait(Duration::from_secs(20)).await;
        Ok::<u32, Error>(7)
    })
    .await?;
    wait(Duration::from_secs(600)).await;
    Ok(limit + act("after".into()).await?)
}

#[test]
fn retries_that_lose_a_race_against_a_wait() {
    assert_eq!(die_twice(limited_retries, nobody), "Ok(8)");
}

#[durable_execution]
async fn late_answers() -> Result<u32, Error> {
    let limit = race!(async { Ok::<u32, Error>(callback("late").create().await.result().await?) }, async {
        wait(Duration::from_secs(5)).await;
        Ok::<u32, Error>(7)
    })
    .await?;
    let answer: u32 = callback("answer").create().await.result().await?;
    Ok(limit + answer + act("answered".into()).await?)
}

async fn answer_late(world: World) {
    tokio::time::sleep(Duration::from_secs(9)).await;
    world.complete("late", &100).await;
    world.complete("answer", &1).await;
}

#[test]
fn a_callback_that_lost_a_race_is_completed_later() {
    assert_eq!(die_twice(late_answers, answer_late), "Ok(9)");
}

#[durable_execution]
async fn mixed() -> Result<u32, Error> {
    let (left, right) = try_join!(
        map(0..2, |n| async move {
            let value = act(format!("left {n}")).await?;
            wait(Duration::from_secs(2)).await;
            Ok::<_, Error>(value + act(format!("left {n} again")).await?)
        }),
        async {
            let answer: u32 = callback("answer").create().await.result().await?;
            Ok::<_, Error>(answer + act("right".into()).await?)
        },
    )
    .await?;
    Ok(left.into_iter().sum::<u32>() + right)
}

async fn answer(world: World) {
    world.complete("answer", &1).await;
}

#[test]
fn a_map_beside_a_callback() {
    assert_eq!(die_twice(mixed, answer), "Ok(6)");
}
