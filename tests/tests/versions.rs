//! Functions that change while executions of them run: each goes on as it was begun.

use std::time::Duration;

use cross_tests::{
    journal::note,
    runs::{Ended, finish, run},
};
use durable_runtime::{Root, prelude::*};
use durable_testing::{CrashEverywhere, TestEngine, effect, virtual_time};

#[durable_step]
async fn act(label: &str) -> Result<String, Error> {
    note(label);
    effect(label);
    Ok(label.to_owned())
}

/// A life in which everything up to the first wait happens, and one with other code.
fn two_lives<F, G>(first: F, second: G) -> Ended<Result<String, Error>>
where
    F: Root<(), Input = (), Output = Result<String, Error>> + Clone,
    G: Root<(), Input = (), Output = Result<String, Error>> + Clone,
{
    virtual_time(async {
        let test = TestEngine::new();
        let run = test.start(first, ()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        test.kill().await;
        test.register(second);
        test.revive();
        finish(&test, &run).await
    })
}

#[durable_execution(name = "w")]
async fn first() -> Result<String, Error> {
    let begin = act("begin").await?;
    wait(Duration::from_secs(60)).await;
    Ok(begin + &act("old").await?)
}

#[durable_execution(name = "w", version = 2)]
async fn second() -> Result<String, Error> {
    let begin = versioned!(from 2 => act("check").await?, else act("begin").await?);
    wait(Duration::from_secs(60)).await;
    Ok(begin + &versioned!(from 2 => act("new").await?, else act("old").await?))
}

#[durable_execution(name = "w", version = 3)]
async fn third() -> Result<String, Error> {
    let begin = versioned! {
        from 3 => act("check twice").await?,
        from 2 => act("check").await?,
        else act("begin").await?,
    };
    wait(Duration::from_secs(60)).await;
    versioned!(from 2 => Ok(begin + &act("new").await?), else Ok(begin + &act("old").await?))
}

/// No executions of version 1 are left, it was thought.
#[durable_execution(name = "w", version = 3)]
async fn third_alone() -> Result<String, Error> {
    let begin = versioned!(from 3 => act("check twice").await?, from 2 => act("check").await?);
    wait(Duration::from_secs(60)).await;
    Ok(begin + &act("new").await?)
}

#[test]
fn an_execution_goes_on_with_the_version_that_it_was_begun_with() {
    assert_eq!(two_lives(first, second).value(), "beginold");
    assert_eq!(two_lives(first, third).value(), "beginold");
    assert_eq!(two_lives(second, third).value(), "checknew");
    assert_eq!(run(third, ()).value(), "check twicenew");
}

#[test]
fn a_version_is_one_step_and_no_checkpoint_call_of_its_own() {
    let plain = run(first, ());
    let versioned = run(second, ());
    assert_eq!(versioned.checkpoint_calls, plain.checkpoint_calls);
    assert_eq!(versioned.operations.len(), plain.operations.len() + 1);
    let marker = versioned.named("version");
    assert_eq!(marker.step_details.as_ref().and_then(|step| step.result.as_deref()), Some("2"));
}

#[test]
fn a_version_survives_a_crash_anywhere() {
    assert_eq!(CrashEverywhere::new(second, || ()).run().result, "Ok(\"checknew\")");
    assert_eq!(CrashEverywhere::new(calls, || ()).run().result, "Ok(\"inner newinner newouter\")");
}

fn assert_refused(ended: &Ended<Result<String, Error>>, parts: &[&str]) {
    let error = ended.error();
    assert_eq!(error.kind(), Some("NonDeterministicExecutionError"), "{error}");
    for part in parts {
        assert!(error.message().contains(part), "{part} is not in: {error}");
    }
}

#[test]
fn a_roll_back_below_the_recorded_version_is_named() {
    assert_refused(&two_lives(third, second), &["begun by version 3 of `w`", "has version 2"]);
    assert_refused(&two_lives(second, first), &["step `version`"]);
}

#[test]
fn a_version_without_a_branch_is_named() {
    assert_refused(&two_lives(first, third_alone), &["begun by version 1 of `w`", "no branch"]);
    assert_eq!(two_lives(second, third_alone).value(), "checknew");
}

#[durable_execution(version = 2)]
async fn inner() -> Result<String, Error> {
    versioned!(from 2 => act("inner new").await, else act("inner old").await)
}

/// Its own version is 1, whatever is called.
#[durable_execution]
async fn calls() -> Result<String, Error> {
    let first = inner().await?;
    wait(Duration::from_secs(1)).await;
    let (second, third) = try_join!(inner(), act("outer")).await?;
    Ok(first + &second + &third)
}

#[durable_execution(name = "o", version = 2)]
async fn outer_of_two() -> Result<String, Error> {
    let branches = map([1, 2], |n| async move {
        let called = calls().await?;
        // A branch and a block belong to the function that they are written in.
        let mine = async { versioned!(from 2 => act("mine").await, else act("not mine").await) }.await?;
        Ok::<_, Error>(format!("{n}{called}{mine}"))
    })
    .await?;
    Ok(branches.concat())
}

#[test]
fn each_function_has_a_version_of_its_own() {
    let value = run(outer_of_two, ()).value();
    assert_eq!(value, "1inner newinner newoutermine2inner newinner newoutermine");
}
