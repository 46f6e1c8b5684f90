//! Code that changes between two lives of an execution: found, named, and nothing written.

use std::time::Duration;

use cross_tests::{
    journal::note,
    runs::{Ended, finish, run},
};
use durable_engine::RunError;
use durable_runtime::{
    Root,
    environment::{DivergencePolicy, Options},
    prelude::*,
};
use durable_testing::{TestEngine, virtual_time};

#[durable_step]
async fn a() -> Result<u32, Error> {
    note("a");
    Ok(1)
}

#[durable_step]
async fn b() -> Result<u32, Error> {
    note("b");
    Ok(2)
}

#[durable_step]
async fn c() -> Result<u32, Error> {
    note("c");
    Ok(3)
}

/// The code of the first life: everything before the wait is recorded when the process dies.
#[durable_execution(name = "w")]
async fn original() -> Result<u32, Error> {
    let sum = a().await? + b().await?;
    wait(Duration::from_secs(60)).named("pause").await;
    Ok(sum + c().await?)
}

/// Runs the original until its wait, kills it, and lets `changed` go on.
fn continue_with<F: Root<(), Input = (), Output = Result<u32, Error>> + Clone>(
    changed: F,
    options: Options,
) -> (Ended<Result<u32, Error>>, usize) {
    virtual_time(async {
        let test = TestEngine::with_options(options);
        let run = test.start(original, ()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let recorded = run.operations().await.len();
        test.kill().await;
        test.register(changed);
        test.revive();
        (finish(&test, &run).await, recorded)
    })
}

/// The change is found: the error names `parts`, and nothing was written or done in the second life.
fn assert_found<F: Root<(), Input = (), Output = Result<u32, Error>> + Clone>(changed: F, parts: &[&str]) {
    let (ended, recorded) = continue_with(changed, Options::default());
    let error = ended.error();
    assert_eq!(error.kind(), Some("NonDeterministicExecutionError"), "{error}");
    for part in parts {
        assert!(error.message().contains(part), "{part} is not in: {error}");
    }
    assert_eq!(ended.operations.len(), recorded);
    assert_eq!(ended.notes, ["a", "b"]);
}

#[durable_execution(name = "w")]
async fn unchanged() -> Result<u32, Error> {
    let sum = a().await? + b().await?;
    wait(Duration::from_secs(60)).named("pause").await;
    Ok(sum + c().await?)
}

#[test]
fn the_same_code_goes_on_where_the_first_life_was() {
    let (ended, _) = continue_with(unchanged, Options::default());
    assert_eq!(ended.notes, ["a", "b", "c"]);
    assert_eq!(ended.value(), 6);
}

#[durable_execution(name = "w")]
async fn removed() -> Result<u32, Error> {
    let sum = a().await?;
    wait(Duration::from_secs(60)).named("pause").await;
    Ok(sum + c().await?)
}

#[test]
fn a_removed_step_is_named() {
    assert_found(removed, &["step `b`", "step `c`"]);
}

#[durable_execution(name = "w")]
async fn renamed() -> Result<u32, Error> {
    let sum = a().await? + b().named("b2").await?;
    wait(Duration::from_secs(60)).named("pause").await;
    Ok(sum + c().await?)
}

#[test]
fn a_renamed_step_is_named_by_its_old_and_its_new_name() {
    assert_found(renamed, &["`b`", "`b2`"]);
}

#[durable_execution(name = "w")]
async fn removed_wait() -> Result<u32, Error> {
    Ok(a().await? + b().await? + c().await?)
}

#[test]
fn a_removed_wait_is_named_before_the_next_step_begins() {
    assert_found(removed_wait, &["`pause`", "`c`"]);
}

#[durable_execution(name = "w")]
async fn retyped() -> Result<u32, Error> {
    let sum = a().await? + b_in_a_context().await?;
    wait(Duration::from_secs(60)).named("pause").await;
    Ok(sum + c().await?)
}

#[durable_execution(name = "b")]
async fn b_in_a_context() -> Result<u32, Error> {
    b().await
}

#[test]
fn a_step_that_became_a_context_is_named() {
    assert_found(retyped, &["step `b`", "context `b`"]);
}

#[durable_execution(name = "w")]
async fn inserted_before_recorded() -> Result<u32, Error> {
    let sum = c().named("new").await? + a().await? + b().await?;
    wait(Duration::from_secs(60)).named("pause").await;
    Ok(sum)
}

#[test]
fn a_step_inserted_in_front_of_recorded_ones_is_found_before_it_begins() {
    // It waits for permission, so that what stands behind it is never reached.
    assert_found(inserted_before_recorded, &["`a`", "`new`"]);
}

#[durable_execution(name = "w")]
async fn reordered_in_branches() -> Result<u32, Error> {
    let (a, b) = try_join!(a(), b()).await?;
    wait(Duration::from_secs(60)).named("pause").await;
    Ok(a + b + c().await?)
}

#[test]
fn steps_moved_into_branches_are_named() {
    assert_found(reordered_in_branches, &["`a`"]);
}

#[durable_execution(name = "w")]
async fn ends_early() -> Result<u32, Error> {
    Ok(a().await? + b().await?)
}

#[test]
fn an_end_before_what_is_recorded_is_found() {
    assert_found(ends_early, &["`pause`", "the code never reached it"]);
}

#[durable_execution(name = "w")]
async fn swapped() -> Result<u32, Error> {
    let sum = b().await? + a().await?;
    wait(Duration::from_secs(60)).named("pause").await;
    Ok(sum + c().await?)
}

#[test]
fn recorded_steps_of_different_names_may_swap_their_places() {
    let (ended, _) = continue_with(swapped, Options::default());
    assert_eq!(ended.notes, ["a", "b", "c"]);
    assert_eq!(ended.value(), 6);
}

#[durable_execution(name = "w")]
async fn inserted_before_future_work() -> Result<u32, Error> {
    let sum = a().await? + b().await?;
    wait(Duration::from_secs(60)).named("pause").await;
    let more = b().named("new").await?;
    Ok(sum + more + c().await?)
}

#[test]
fn a_step_inserted_in_front_of_future_work_is_fine() {
    let (ended, _) = continue_with(inserted_before_future_work, Options::default());
    assert_eq!(ended.notes, ["a", "b", "b", "c"]);
    assert_eq!(ended.value(), 8);
}

#[test]
fn by_policy_a_change_ends_invocations_until_the_service_gives_up() {
    let options = Options { on_divergence: DivergencePolicy::RetryInvocation, ..Options::default() };
    let (ended, recorded) = continue_with(removed, options);
    assert_eq!(ended.operations.len(), recorded);
    // The original's, and the five failures in a row that the service allows.
    assert_eq!(ended.invocations, 1 + 5);
    assert!(ended.error().message().contains("`b`"), "{}", ended.error());
}

#[test]
fn by_policy_a_roll_back_heals_the_execution() {
    virtual_time(async {
        let options = Options { on_divergence: DivergencePolicy::RetryInvocation, ..Options::default() };
        let test = TestEngine::with_options(options);
        let run = test.start(original, ()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        test.kill().await;
        test.register(removed);
        test.revive();
        // The wait is over and the changed code has failed.
        tokio::time::sleep(Duration::from_millis(59_500)).await;
        test.register(original);
        let ended = finish(&test, &run).await;
        assert!(ended.invocations >= 3, "{}", ended.invocations);
        assert_eq!(ended.notes, ["a", "b", "c"]);
        assert_eq!(ended.value(), 6);
    });
}

#[durable_execution(name = "twins")]
async fn twins() -> Result<u32, Error> {
    let sum = a().await? * 10 + a().await?;
    wait(Duration::from_secs(60)).await;
    Ok(sum)
}

#[durable_execution(name = "twins")]
async fn only_child() -> Result<u32, Error> {
    let sum = a().await?;
    wait(Duration::from_secs(60)).await;
    Ok(sum)
}

#[durable_execution(name = "twins")]
async fn triplets() -> Result<u32, Error> {
    let sum = a().await? * 100 + a().await? * 10 + a().await?;
    wait(Duration::from_secs(60)).await;
    Ok(sum)
}

/// Runs `before` until it waits, kills it, and lets `after` go on.
fn changes<A, Before, After>(before: Before, after: After, input: Before::Input) -> Ended<Before::Output>
where
    A: 'static,
    Before: Root<A> + Clone,
    After: Root<A>,
{
    virtual_time(async {
        let test = TestEngine::new();
        let run = test.start(before, input).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        test.kill().await;
        test.register(after);
        test.revive();
        finish(&test, &run).await
    })
}

#[test]
fn one_more_or_one_less_of_a_name_is_found() {
    for ended in [changes(twins, only_child, ()), changes(twins, triplets, ())] {
        assert_eq!(ended.error().kind(), Some("NonDeterministicExecutionError"));
        assert_eq!(ended.notes, ["a", "a"]);
    }
}

#[durable_execution(name = "items")]
async fn all_items(items: u32) -> Result<u32, Error> {
    let all = map(0..items, |_| async {
        let value = a().await?;
        wait(Duration::from_secs(60)).await;
        Ok::<_, Error>(value)
    })
    .named("prices")
    .await?;
    Ok(all.into_iter().sum())
}

#[durable_execution(name = "items")]
async fn fewer_items(items: u32) -> Result<u32, Error> {
    let all = map(1..items, |_| async {
        let value = a().await?;
        wait(Duration::from_secs(60)).await;
        Ok::<_, Error>(value)
    })
    .named("prices")
    .await?;
    Ok(all.into_iter().sum())
}

#[durable_execution(name = "items")]
async fn other_items(items: u32) -> Result<u32, Error> {
    let all = map(0..items, |_| async {
        let value = b().await?;
        wait(Duration::from_secs(60)).await;
        Ok::<_, Error>(value)
    })
    .named("prices")
    .await?;
    Ok(all.into_iter().sum())
}

#[test]
fn a_change_inside_a_map_is_named() {
    let ended = changes(all_items, fewer_items, 3);
    assert!(ended.error().message().contains("`map-item-2`"), "{}", ended.error());
    let ended = changes(all_items, other_items, 3);
    assert!(ended.error().message().contains("step `a`"), "{}", ended.error());
    assert_eq!(ended.notes, ["a", "a", "a"]);
}

/// A future hidden in a macro: no `.await` that the attribute could see.
macro_rules! hidden {
    ($future:expr) => {
        $future.await
    };
}

#[durable_execution]
async fn sneaks_a_timer() -> Result<u32, Error> {
    let value = a().await?;
    hidden!(nondeterministic!(tokio::time::sleep(Duration::from_secs(1))));
    Ok(value)
}

#[test]
fn a_future_that_the_history_does_not_know_is_found() {
    let ended = run(sneaks_a_timer, ());
    assert_eq!(ended.error().kind(), Some("UnrecordedAwait"), "{}", ended.error());
    assert!(ended.named("a").status.is_terminal());
}

#[durable_execution]
async fn sneaks_a_timer_into_a_branch() -> Result<u32, Error> {
    let (value, ()) = join!(
        async {
            wait(Duration::from_secs(5)).await;
            a().await
        },
        async { hidden!(nondeterministic!(tokio::time::sleep(Duration::from_secs(1)))) },
    )
    .await;
    value
}

#[test]
fn a_future_that_the_history_does_not_know_is_found_in_a_branch() {
    let ended = run(sneaks_a_timer_into_a_branch, ());
    assert_eq!(ended.error().kind(), Some("UnrecordedAwait"), "{}", ended.error());
}

#[durable_execution]
async fn gets_stuck() -> Result<u32, Error> {
    let value = a().await?;
    hidden!(std::future::pending::<()>());
    Ok(value)
}

#[test]
fn an_execution_that_waits_for_nothing_is_found() {
    let ended = run(gets_stuck, ());
    assert_eq!(ended.error().kind(), Some("StuckExecution"), "{}", ended.error());
    assert!(ended.named("a").status.is_terminal());
}

#[durable_execution]
async fn panics() -> Result<u32, Error> {
    let value = a().await?;
    assert_eq!(value, 2, "one is not two");
    Ok(value)
}

#[test]
fn a_panic_in_durable_code_fails_the_execution_after_what_was_done_is_recorded() {
    let ended = run(panics, ());
    assert!(matches!(ended.output, Err(RunError::Ended { .. })));
    assert_eq!(ended.error().kind(), Some("WorkflowPanicked"));
    assert!(ended.error().message().contains("one is not two"), "{}", ended.error());
    assert!(ended.named("a").status.is_terminal());
    assert_eq!(ended.invocations, 1);
}

/// Asks for an operation that is not recorded, and panics before anybody could compare it with the history.
#[durable_execution(name = "w")]
async fn panics_at_once() -> Result<u32, Error> {
    let moment = now().await;
    assert!(moment < Timestamp::default(), "planted");
    Ok(0)
}

#[test]
fn what_a_panic_of_changed_code_left_behind_is_not_written() {
    let (ended, recorded) = continue_with(panics_at_once, Options::default());
    assert_eq!(ended.error().kind(), Some("WorkflowPanicked"), "{}", ended.error());
    assert_eq!(ended.operations.len(), recorded);
    assert_eq!(ended.notes, ["a", "b"]);
}
