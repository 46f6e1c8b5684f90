//! Callbacks: completed, failed, timed out, kept alive, from outside.

use std::time::Duration;

use cross_tests::{
    journal::note,
    runs::{run, run_in_world},
};
use durable_runtime::{ErrorObject, prelude::*, protocol::OperationType, serdes::Raw};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Approval {
    by: String,
}

fn by(name: &str) -> Approval {
    Approval { by: name.to_owned() }
}

#[durable_execution]
async fn asks() -> Result<Approval, CallbackError> {
    let approval = callback::<Approval>("approval").create().await;
    approval.result().await
}

#[test]
fn the_value_that_was_sent_is_the_result() {
    let ended = run_in_world(asks, (), |world| async move {
        tokio::time::sleep(Duration::from_secs(3600)).await;
        world.complete("approval", &by("Ada")).await;
    });
    assert_eq!((ended.elapsed, ended.invocations), (Duration::from_secs(3600), 2));
    assert_eq!(ended.value(), by("Ada"));
}

#[test]
fn the_senders_error_arrives_as_it_was_sent() {
    let error =
        ErrorObject { error_data: Some("{\"code\":7}".into()), ..ErrorObject::new("Refused", "not today") };
    let sent = error.clone();
    let ended = run_in_world(asks, (), |world| async move { world.fail("approval", sent).await });
    let failure = ended.failure();
    assert_eq!(failure.to_string(), "not today");
    assert_eq!(failure, CallbackError::Failed { name: "approval".into(), error });
}

#[durable_execution]
async fn asks_in_time() -> Result<Approval, CallbackError> {
    callback("approval").timeout("1h").create().await.result().await
}

#[test]
fn a_callback_that_nobody_completes_times_out() {
    let ended = run(asks_in_time, ());
    assert_eq!(ended.elapsed, Duration::from_secs(3600));
    assert_eq!(ended.failure(), CallbackError::TimedOut { name: "approval".into() });
}

#[durable_execution]
async fn asks_with_heartbeat() -> Result<Approval, CallbackError> {
    callback("approval").timeout("1h").heartbeat("60s").create().await.result().await
}

#[test]
fn a_callback_without_heartbeats_is_lost() {
    let ended = run_in_world(asks_with_heartbeat, (), |world| async move {
        tokio::time::sleep(Duration::from_secs(50)).await;
        world.heartbeat("approval").await;
    });
    assert_eq!(ended.elapsed, Duration::from_secs(50 + 60));
    assert_eq!(ended.failure(), CallbackError::HeartbeatLost { name: "approval".into() });
}

#[test]
fn heartbeats_keep_a_callback_alive() {
    let ended = run_in_world(asks_with_heartbeat, (), |world| async move {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(59)).await;
            world.heartbeat("approval").await;
        }
        world.complete("approval", &by("Bob")).await;
    });
    assert_eq!(ended.elapsed, Duration::from_secs(590));
    assert_eq!(ended.value(), by("Bob"));
}

#[test]
fn heartbeats_do_not_extend_the_timeout() {
    let ended = run_in_world(asks_with_heartbeat, (), |world| async move {
        loop {
            tokio::time::sleep(Duration::from_secs(59)).await;
            world.heartbeat("approval").await;
        }
    });
    assert_eq!(ended.elapsed, Duration::from_secs(3600));
    assert_eq!(ended.failure(), CallbackError::TimedOut { name: "approval".into() });
}

#[durable_execution]
async fn wrong_limit() -> Result<Approval, CallbackError> {
    // Computed, so that the compiler can't check it.
    callback("approval").timeout(String::from("soon")).create().await.result().await
}

#[test]
fn a_time_limit_that_is_no_duration_fails_the_execution() {
    let ended = run(wrong_limit, ());
    assert_eq!(ended.error().kind(), Some("InvalidCallback"));
    for part in ["`approval`", "`soon`"] {
        assert!(ended.error().message().contains(part), "{part} in {}", ended.error());
    }
}

#[durable_step]
async fn send(id: String) -> Result<(), Error> {
    note(id);
    Ok(())
}

#[durable_execution]
async fn uses_the_id() -> Result<(String, Approval), Error> {
    let approval = callback::<Approval>("approval").create().await;
    let id = approval.id().to_string();
    send(id.clone()).await?;
    wait(Duration::from_secs(10)).await;
    Ok((id, approval.result().await?))
}

#[test]
fn the_id_can_be_used_before_the_result_is_awaited_and_stays_the_same() {
    let ended = run_in_world(uses_the_id, (), |world| async move {
        // Completes it long before its result is awaited.
        world.complete("approval", &by("Cleo")).await;
    });
    assert_eq!(ended.elapsed, Duration::from_secs(10));
    let notes = ended.notes.clone();
    let (id, approval) = ended.value();
    assert_eq!((notes.as_slice(), approval), ([id].as_slice(), by("Cleo")));
}

#[durable_execution]
async fn two_of_a_name() -> Result<(Approval, Approval), CallbackError> {
    let first = callback("approval").create().await;
    let second = callback("approval").create().await;
    // The other way round than they were created.
    let second = second.result().await?;
    Ok((first.result().await?, second))
}

#[test]
fn callbacks_of_one_name_are_told_apart_by_their_ids() {
    let ended = run_in_world(two_of_a_name, (), |world| async move {
        world.complete("approval", &by("first")).await;
        world.complete("approval", &by("second")).await;
    });
    assert_eq!(ended.value(), (by("first"), by("second")));
}

#[durable_step(retry(max_attempts = 2, initial_delay = "5s", jitter = none))]
async fn submit(id: CallbackId, fails: u32) -> Result<(), Error> {
    note(format!("submitted {}", step_attempt().unwrap_or_default()));
    if step_attempt() <= Some(fails) {
        Err(Error::new(format!("no route for {} characters", id.as_str().len().min(1))))
    } else {
        Ok(())
    }
}

#[durable_execution]
async fn submits(fails: u32) -> Result<Approval, Error> {
    callback("approval").timeout("1h").submit(|id| submit(id, fails)).await
}

#[test]
fn a_submitted_callback_is_one_operation_of_its_own() {
    let ended = run_in_world(submits, 0, |world| async move { world.complete("approval", &by("Dan")).await });
    let context = ended.of_type(OperationType::Context)[0];
    assert_eq!(context.sub_type.as_deref(), Some("WaitForCallback"));
    let inside =
        ended.operations.iter().filter(|operation| operation.parent_id.as_ref() == Some(&context.id));
    let types: Vec<_> = inside.map(|operation| operation.operation_type).collect();
    assert_eq!(types, [OperationType::Callback, OperationType::Step]);
    assert_eq!(ended.noted("submitted 1"), 1);
    assert_eq!(ended.value(), by("Dan"));
}

#[test]
fn the_submitter_is_retried_as_a_step() {
    let ended = run_in_world(submits, 1, |world| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        world.complete("approval", &by("Eve")).await;
    });
    assert_eq!(ended.notes, ["submitted 1", "submitted 2"]);
    assert_eq!(ended.value(), by("Eve"));
}

#[test]
fn a_submitter_that_fails_for_good_fails_the_whole() {
    let ended = run(submits, 2);
    assert_eq!(ended.notes.len(), 2);
    assert_eq!(ended.failure().to_string(), "no route for 1 characters");
}

#[test]
fn a_submitted_callback_times_out_too() {
    let ended = run(submits, 0);
    assert_eq!(ended.elapsed, Duration::from_secs(3600));
    assert_eq!(ended.failure(), Error::from(CallbackError::TimedOut { name: "approval".into() }));
}

#[durable_execution]
async fn raw_text() -> Result<String, CallbackError> {
    callback("text").serdes::<Raw>().create().await.result().await
}

#[test]
fn another_serdes_reads_the_bytes_as_they_were_sent() {
    let ended = run_in_world(raw_text, (), |world| async move { world.complete("text", &[1, 2]).await });
    assert_eq!(ended.value(), "[1,2]");
}

#[test]
fn a_value_of_another_type_ends_the_execution_with_the_callbacks_name() {
    let ended = run_in_world(asks, (), |world| async move { world.complete("approval", &[1, 2]).await });
    assert_eq!(ended.error().kind(), Some("CallbackError"));
    assert!(ended.error().message().contains("`approval`"), "{}", ended.error());
}
