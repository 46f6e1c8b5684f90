//! Branches side by side: what fails, what is cancelled, and in which order all of it is undone.

use std::time::Duration;

use durable_runtime::prelude::*;
use durable_testing::effect;

use super::*;

/// Takes `seconds` of virtual time.
#[durable_step(compensate = release)]
async fn reserve_slowly(what: String, seconds: u64) -> Result<String, Trouble> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    effect(format!("reserve {what}"));
    Ok(what)
}

#[durable_step(retry(none))]
async fn sold_out_after(seconds: u64) -> Result<String, Trouble> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    Err(Trouble::None("rooms".into()))
}

/// The order in which a test of several effects at the same time can rely on.
fn undone(effects: &[String]) -> Vec<&str> {
    effects.iter().filter_map(|effect| effect.strip_prefix("release ")).collect()
}

#[durable_execution]
async fn joined() -> Result<(String, String), Trouble> {
    reserve("visa").await?;
    try_join!(
        async {
            reserve_slowly("flight".into(), 1).await?;
            wait(Duration::from_secs(100)).await;
            reserve_slowly("seat".into(), 1).await
        },
        async {
            reserve_slowly("car".into(), 2).await?;
            wait(Duration::from_secs(10)).await;
            sold_out("rooms").await
        },
    )
    .await
}

#[test]
fn a_branch_that_fails_and_one_that_is_cancelled_are_both_undone() {
    let effects = effects(joined, NONE_LEFT);
    assert_eq!(undone(&effects), ["car", "flight", "visa"]);
}

#[durable_execution]
async fn all_then_nothing() -> Result<String, Trouble> {
    // The first item is the last to finish: what is undone first must not depend on that.
    let seconds = [3, 2, 1];
    map(seconds, |seconds| async move {
        let what = reserve_slowly(format!("early {seconds}"), seconds).await?;
        wait(Duration::from_secs(seconds)).await;
        reserve_slowly(format!("late {seconds}"), 1).await?;
        Ok::<_, Trouble>(what)
    })
    .await?;
    wait(Duration::from_secs(60)).await;
    sold_out("rooms").await
}

#[test]
fn a_map_that_succeeded_is_undone_from_its_last_item_to_its_first() {
    let effects = effects(all_then_nothing, NONE_LEFT);
    assert_eq!(undone(&effects), ["late 1", "early 1", "late 2", "early 2", "late 3", "early 3"]);
}

#[durable_execution]
async fn tolerant() -> Result<usize, Trouble> {
    let items = map(0..4_u64, |item| async move {
        reserve_slowly(format!("item {item}"), 1).await?;
        if item % 2 == 1 { sold_out("rooms").await } else { Ok("kept".to_owned()) }
    })
    .tolerated_failures(2)
    .outcome()
    .await;
    wait(Duration::from_secs(5)).await;
    Ok(items.succeeded().count())
}

#[test]
fn an_item_whose_failure_is_tolerated_is_undone_alone() {
    let effects = effects(tolerant, "Ok(2)");
    let mut undone = undone(&effects);
    undone.sort_unstable();
    assert_eq!(undone, ["item 1", "item 3"]);
}

#[durable_execution]
async fn flat_and_failing() -> Result<Vec<String>, Trouble> {
    reserve("visa").await?;
    map(0..3_u64, |item| async move {
        reserve_slowly(format!("item {item}"), item + 1).await?;
        if item == 2 { sold_out("rooms").await } else { Ok(String::new()) }
    })
    .flat()
    .await
}

#[test]
fn a_flat_map_is_undone_by_the_group() {
    let effects = effects(flat_and_failing, NONE_LEFT);
    assert_eq!(undone(&effects), ["item 2", "item 1", "item 0", "visa"]);
}

#[durable_execution]
async fn raced() -> Result<String, Trouble> {
    let winner = race!(
        async {
            reserve_slowly("slow flight".into(), 1).await?;
            wait(Duration::from_secs(50)).await;
            Ok::<_, Trouble>("slow".to_owned())
        },
        async {
            reserve_slowly("fast flight".into(), 2).await?;
            wait(Duration::from_secs(5)).await;
            Ok("fast".to_owned())
        },
    )
    .await?;
    wait(Duration::from_secs(5)).await;
    Ok(winner)
}

#[test]
fn who_loses_a_race_is_undone() {
    let effects = effects(raced, "Ok(\"fast\")");
    assert_eq!(undone(&effects), ["slow flight"]);
}

#[durable_step(retry(max_attempts = 5, initial_delay = "30s", jitter = none))]
async fn release_patiently(what: String) -> Result<(), Trouble> {
    if step_attempt() < Some(3) {
        return Err(Trouble::None("patience".into()));
    }
    effect(format!("release {what}"));
    Ok(())
}

#[durable_step(compensate = release_patiently)]
async fn reserve_patiently(what: &str) -> Result<String, Trouble> {
    effect(format!("reserve {what}"));
    Ok(what.to_owned())
}

#[durable_execution]
async fn cancelled_while_undoing() -> Result<(String, String), Trouble> {
    try_join!(
        async {
            reserve("flight").await?;
            reserve_patiently("seat").await?;
            sold_out("rooms").await
        },
        async {
            reserve("car").await?;
            // Fails while the other branch is half-way through its compensations.
            wait(Duration::from_secs(10)).await;
            sold_out("rooms").await
        },
    )
    .await
}

#[test]
fn a_branch_that_is_undoing_finishes_that_before_the_group_ends() {
    let effects = effects(cancelled_while_undoing, NONE_LEFT);
    let mut undone = undone(&effects);
    undone.sort_unstable();
    assert_eq!(undone, ["car", "flight", "seat"]);
}

#[durable_execution]
async fn nested() -> Result<Vec<String>, Trouble> {
    map(0..2_u64, |outer| async move {
        reserve_slowly(format!("outer {outer}"), 1).await?;
        let inner = map(0..2_u64, |inner| reserve_slowly(format!("inner {outer}{inner}"), inner + 1)).await?;
        wait(Duration::from_secs(1)).await;
        if outer == 1 {
            wait(Duration::from_secs(1)).await;
            return sold_out("rooms").await;
        }
        Ok(inner.concat())
    })
    .await
}

#[test]
fn groups_in_groups_are_undone_too() {
    let effects = effects(nested, NONE_LEFT);
    let expected = ["inner 11", "inner 10", "outer 1", "inner 01", "inner 00", "outer 0"];
    assert_eq!(undone(&effects), expected);
}

#[durable_execution]
async fn cancelled_with_a_failed_item() -> Result<(usize, String), Trouble> {
    try_join!(
        async {
            let items = map([1_u64, 2], |item| async move {
                reserve_slowly(format!("item {item}"), 1).await?;
                if item == 1 {
                    return sold_out("rooms").await;
                }
                wait(Duration::from_secs(100)).await;
                Ok(String::new())
            })
            .flat()
            .tolerated_failures(1)
            .outcome()
            .await;
            Ok::<_, Trouble>(items.succeeded().count())
        },
        async {
            // The map waits for its second item, and has not undone the first one yet.
            wait(Duration::from_secs(10)).await;
            sold_out("rooms").await
        },
    )
    .await
}

#[test]
fn what_a_cancelled_group_was_still_to_undo_is_undone_by_who_cancels_it() {
    let effects = effects(cancelled_with_a_failed_item, NONE_LEFT);
    assert_eq!(undone(&effects), ["item 2", "item 1"]);
}
