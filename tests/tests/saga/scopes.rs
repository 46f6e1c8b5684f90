//! One line of control flow: executions, called executions, `saga!`, `with_retry`.

use std::time::Duration;

use cross_tests::runs::run;
use durable_runtime::{prelude::*, protocol::OperationStatus};
use durable_testing::{TestEngine, effect, virtual_time};

use super::*;

#[durable_execution]
async fn sequence() -> Result<String, Trouble> {
    reserve("flight").await?;
    wait(Duration::from_secs(60)).await;
    reserve("car").await?;
    sold_out("rooms").await
}

#[test]
fn finished_steps_are_undone_in_reverse() {
    let expected = ["reserve flight", "reserve car", "release car", "release flight"];
    assert_eq!(effects(sequence, NONE_LEFT), expected);
}

#[durable_execution]
async fn fortunate() -> Result<String, Trouble> {
    reserve("flight").await?;
    reserve("car").await
}

#[test]
fn success_undoes_nothing() {
    assert_eq!(effects(fortunate, "Ok(\"car\")"), ["reserve flight", "reserve car"]);
}

#[durable_step(retry(max_attempts = 3, initial_delay = "10s", jitter = none))]
async fn stubborn_release(what: String) -> Result<(), Trouble> {
    if step_attempt() < Some(3) {
        return Err(Trouble::None("patience".into()));
    }
    effect(format!("release {what}"));
    Ok(())
}

#[durable_step(compensate = stubborn_release)]
async fn reserve_stubbornly(what: &str) -> Result<String, Trouble> {
    effect(format!("reserve {what}"));
    Ok(what.to_owned())
}

#[durable_execution]
async fn retried() -> Result<String, Trouble> {
    reserve("flight").await?;
    reserve_stubbornly("car").await?;
    sold_out("rooms").await
}

#[test]
fn a_compensation_has_a_retry_policy_of_its_own() {
    let expected = ["reserve flight", "reserve car", "release car", "release flight"];
    assert_eq!(effects(retried, NONE_LEFT), expected);
}

#[durable_step(retry(none))]
async fn unable_to_release(what: String) -> Result<(), Trouble> {
    Err(Trouble::None(format!("agents for {what}")))
}

#[durable_step(compensate = unable_to_release)]
async fn reserve_for_good(what: &str) -> Result<String, Trouble> {
    effect(format!("reserve {what}"));
    Ok(what.to_owned())
}

#[durable_execution]
async fn half_undone() -> Result<String, Trouble> {
    reserve("flight").await?;
    reserve_for_good("car").await?;
    reserve("boat").await?;
    sold_out("rooms").await
}

#[test]
fn a_compensation_that_fails_hides_neither_the_error_nor_the_others() {
    let expected = ["reserve flight", "reserve car", "reserve boat", "release boat", "release flight"];
    assert_eq!(effects(half_undone, NONE_LEFT), expected);

    let ended = run(half_undone, ());
    assert_eq!(ended.output.as_ref().unwrap(), &Err(Trouble::None("rooms".into())));
    assert_eq!(ended.named("unable_to_release").status, OperationStatus::Failed);
    let error = virtual_time(async {
        let run = TestEngine::new().start(half_undone, ()).await;
        drop(run.output().await);
        run.summary().await.error.unwrap()
    });
    assert_eq!(error.kind(), Some("Trouble"));
    assert_eq!(error.error_message.as_deref(), Some("no rooms left"));
    let notes = error.stack_trace.clone().unwrap_or_default();
    assert!(matches!(notes.as_slice(), [one] if one.contains("no agents for car left")), "{notes:?}");
}

#[durable_execution]
async fn trip() -> Result<u32, Trouble> {
    reserve("flight").await?;
    wait(Duration::from_secs(1)).await;
    reserve("car").await?;
    Ok(2)
}

#[durable_execution]
async fn parent_fails() -> Result<String, Trouble> {
    reserve("visa").await?;
    trip().await?;
    wait(Duration::from_secs(60)).await;
    reserve("insurance").await?;
    sold_out("rooms").await
}

#[test]
fn a_called_execution_that_succeeded_is_undone_with_its_caller() {
    let expected = [
        "reserve visa",
        "reserve flight",
        "reserve car",
        "reserve insurance",
        "release insurance",
        "release car",
        "release flight",
        "release visa",
    ];
    assert_eq!(effects(parent_fails, NONE_LEFT), expected);
}

#[durable_execution]
async fn parent_goes_on() -> Result<String, Trouble> {
    reserve("visa").await?;
    let failed = sequence().await;
    assert_eq!(failed, Err(Trouble::None("rooms".into())));
    wait(Duration::from_secs(60)).await;
    reserve("tent").await
}

#[test]
fn a_called_execution_that_failed_undoes_its_own_steps_and_no_others() {
    let expected =
        ["reserve visa", "reserve flight", "reserve car", "release car", "release flight", "reserve tent"];
    assert_eq!(effects(parent_goes_on, "Ok(\"tent\")"), expected);
}

#[durable_execution]
async fn blocks() -> Result<String, Trouble> {
    reserve("visa").await?;
    let both = saga!("both", {
        reserve("flight").await?;
        sold_out("rooms").await
    })
    .await;
    assert_eq!(both, Err(Trouble::None("rooms".into())));
    let one = saga!({
        reserve("train").await?;
        Ok::<_, Trouble>(1)
    })
    .await?;
    wait(Duration::from_secs(one)).await;
    sold_out("rooms").await
}

#[test]
fn a_saga_that_succeeded_is_undone_with_what_is_around_it() {
    let expected = [
        "reserve visa",
        "reserve flight",
        "release flight",
        "reserve train",
        "release train",
        "release visa",
    ];
    assert_eq!(effects(blocks, NONE_LEFT), expected);
    let names: Vec<_> = run(blocks, ()).operations.into_iter().filter_map(|one| one.name).collect();
    assert!(names.iter().any(|name| name == "both") && names.iter().any(|name| name == "saga"), "{names:?}");
}

#[durable_step]
async fn refund(order: u64, receipt: String) -> Result<(), Trouble> {
    effect(format!("refund {receipt} of order {order}"));
    Ok(())
}

#[durable_step]
async fn charge(order: &u64) -> Result<String, Trouble> {
    Ok(format!("receipt {order}"))
}

#[durable_step(compensate = |number: u64| release(format!("number {number}")))]
async fn number() -> u64 {
    7
}

#[durable_execution]
async fn unwind(what: String) -> Result<(), Trouble> {
    release(format!("{what}, slowly")).await?;
    wait(Duration::from_secs(5)).await;
    release(format!("{what}, at last")).await
}

#[durable_step(compensate = unwind)]
async fn reserve_in_parts(what: &str) -> Result<String, Trouble> {
    Ok(what.to_owned())
}

#[durable_execution]
async fn forms() -> Result<String, Trouble> {
    let order = 17;
    charge(&order).compensate(move |receipt| refund(order, receipt)).await?;
    number().await;
    reserve_in_parts("tour").await?;
    sold_out("rooms").await
}

#[test]
fn closures_plain_values_and_executions_can_undo() {
    let expected = [
        "release tour, slowly",
        "release tour, at last",
        "release number 7",
        "refund receipt 17 of order 17",
    ];
    assert_eq!(effects(forms, NONE_LEFT), expected);
}

#[durable_execution]
async fn attempts() -> Result<String, Trouble> {
    let policy = RetryPolicy { max_attempts: 3, jitter: Jitter::None, ..RetryPolicy::DEFAULT };
    with_retry(policy, |attempt| async move {
        let flight = reserve(&format!("flight {attempt}")).await?;
        if attempt < 3 { sold_out("rooms").await } else { Ok(flight) }
    })
    .named("trip")
    .await
}

#[test]
fn an_attempt_of_with_retry_that_failed_is_undone_before_the_next_one() {
    let expected =
        ["reserve flight 1", "release flight 1", "reserve flight 2", "release flight 2", "reserve flight 3"];
    assert_eq!(effects(attempts, "Ok(\"flight 3\")"), expected);
    let ended = run(attempts, ());
    assert_eq!(ended.elapsed, Duration::from_secs(5 + 10));
    let names: Vec<_> = ended.operations.into_iter().filter_map(|operation| operation.name).collect();
    for name in ["trip", "attempt-1", "backoff-1", "attempt-2", "backoff-2", "attempt-3"] {
        assert!(names.iter().any(|one| one == name), "{name} of {names:?}");
    }
}

#[durable_execution]
async fn hopeless() -> Result<String, Trouble> {
    reserve("visa").await?;
    let policy = RetryPolicy {
        retry_if: Some(|error| error.error_message.as_deref() != Some("no rooms left")),
        ..RetryPolicy::DEFAULT
    };
    with_retry(policy, |_| async { sold_out("rooms").await }).await
}

#[test]
fn with_retry_gives_the_last_error_and_asks_the_policy() {
    assert_eq!(effects(hopeless, NONE_LEFT), ["reserve visa", "release visa"]);
}
