//! Which spans there are, what is below what, and when.

use std::time::Duration;

use durable_runtime::{ErrorObject, prelude::*};
use opentelemetry::trace::TraceId;

use crate::{
    collect::{Collected, attribute, attributes},
    settle, traced,
};

#[durable_step(retry(max_attempts = 3, initial_delay = "2s", backoff = 2.0, jitter = none))]
async fn flaky() -> Result<String, Error> {
    match step_attempt() {
        Some(3) => Ok("ok".to_owned()),
        attempt => Err(Error::new(format!("attempt {attempt:?} fails"))),
    }
}

#[durable_step(retry(max_attempts = 1))]
async fn broken() -> Result<(), Error> {
    Err(Error::new("out of paper"))
}

#[durable_step]
async fn pack(item: u32) -> Result<u32, Error> {
    Ok(item)
}

#[durable_execution]
async fn retried() -> Result<String, Error> {
    let answer = flaky().await?;
    wait("10s").named("pause").await;
    pack(1).await?;
    Ok(answer)
}

#[test]
fn a_step_that_is_tried_in_three_invocations_is_one_span() {
    let (arn, collected) = traced(async |engine| {
        let run = engine.start(retried, ()).await;
        assert_eq!(run.result().await.unwrap(), "ok");
        run.arn().to_owned()
    });
    assert_eq!(
        collected.tree(),
        [
            "Workflow 0..16 ok",
            "  Invocation 0..0 ok PENDING",
            "  flaky 0..6 ok",
            "    flaky attempt 1 0..0 error: attempt Some(1) fails",
            "    flaky attempt 2 2..2 error: attempt Some(2) fails",
            "    flaky attempt 3 6..6 ok",
            "  Invocation 2..2 ok PENDING",
            "  Invocation 6..6 ok PENDING",
            "  pause 6..16 ok",
            "  pack 16..16 ok",
            "    pack attempt 1 16..16 ok",
            "  Invocation 16..16 ok SUCCEEDED",
        ]
    );
    let flaky = collected.named("flaky");
    let found = attributes(&flaky);
    assert_eq!(found["durable.execution.arn"], arn);
    assert_eq!(found["durable.operation.name"], "flaky");
    assert_eq!(found["durable.operation.type"], "STEP");
    assert_eq!(found["durable.operation.subtype"], "Step");
    assert_eq!(found["durable.operation.status"], "SUCCEEDED");
    assert_eq!(found["durable.attempt.number"], "3");
    let second = collected.named("flaky attempt 2");
    let found = attributes(&second);
    assert_eq!(found["durable.operation.id"], attribute(&flaky, "durable.operation.id").unwrap());
    assert_eq!(found["durable.attempt.number"], "2");
    assert_eq!(found["durable.attempt.outcome"], "FAILED");
    assert!(found.contains_key("error.type"));
    assert_eq!(second.events.events[0].name, "exception");
    let workflow = collected.named("Workflow");
    assert_eq!(attribute(&workflow, "durable.execution.status").unwrap(), "SUCCEEDED");
}

#[test]
fn operations_and_attempts_are_linked_to_the_invocation_they_ended_in() {
    let ((), collected) = traced(async |engine| {
        engine.start(retried, ()).await.result().await.unwrap();
    });
    let mut invocations: Vec<_> =
        collected.spans().into_iter().filter(|span| span.name == "Invocation").collect();
    invocations.sort_by_key(|span| span.start_time);
    let linked = |name: &str| collected.named(name).links.links[0].span_context.span_id();
    assert_eq!(linked("flaky attempt 1"), invocations[0].span_context.span_id());
    assert_eq!(linked("flaky attempt 2"), invocations[1].span_context.span_id());
    assert_eq!(linked("flaky"), invocations[2].span_context.span_id());
    assert_eq!(linked("pause"), invocations[3].span_context.span_id());
    let first: Vec<_> =
        invocations.iter().map(|span| attribute(span, "durable.invocation.first").unwrap()).collect();
    assert_eq!(first, ["true", "false", "false", "false"]);
}

#[durable_execution]
async fn shipping(item: u32) -> Result<u32, Error> {
    let packed = pack(item).await?;
    wait("5s").named("dispatch").await;
    Ok(packed)
}

#[durable_execution]
async fn nested() -> Result<u32, Error> {
    let one = shipping(1).await?;
    let rest = map([2, 3], pack).named("rest").await?;
    Ok(one + rest.into_iter().sum::<u32>())
}

#[test]
fn contexts_are_parents_of_what_happens_in_them() {
    let ((), collected) = traced(async |engine| {
        assert_eq!(engine.start(nested, ()).await.result().await.unwrap(), 6);
    });
    assert_eq!(
        collected.tree(),
        [
            "Workflow 0..5 ok",
            "  Invocation 0..0 ok PENDING",
            "  shipping 0..5 ok",
            "    pack 0..0 ok",
            "      pack attempt 1 0..0 ok",
            "    dispatch 0..5 ok",
            "  rest 5..5 ok",
            "    map-item-0 5..5 ok",
            "      pack 5..5 ok",
            "        pack attempt 1 5..5 ok",
            "    map-item-1 5..5 ok",
            "      pack 5..5 ok",
            "        pack attempt 1 5..5 ok",
            "  Invocation 5..5 ok SUCCEEDED",
        ]
    );
}

#[durable_execution]
async fn failing() -> Result<(), Error> {
    broken().await
}

#[test]
fn a_failure_shows_on_attempt_operation_and_workflow() {
    let ((), collected) = traced(async |engine| {
        engine.start(failing, ()).await.result().await.unwrap_err();
    });
    assert_eq!(
        collected.tree(),
        [
            "Workflow 0..0 error: out of paper",
            "  broken 0..0 error: out of paper",
            "    broken attempt 1 0..0 error: out of paper",
            "  Invocation 0..0 error: out of paper FAILED",
        ]
    );
}

#[durable_execution]
async fn approved() -> Result<String, Error> {
    Ok(callback("approval").create().await.result().await?)
}

#[test]
fn a_callback_is_one_span_from_its_creation_to_its_answer() {
    let ((), collected) = traced(async |engine| {
        let run = engine.start(approved, ()).await;
        engine.clock().sleep_until(engine.clock().now().after(Duration::from_secs(60))).await;
        run.complete("approval", &"yes").await;
        assert_eq!(run.result().await.unwrap(), "yes");
    });
    assert_eq!(
        collected.tree(),
        [
            "Workflow 0..60 ok",
            "  Invocation 0..0 ok PENDING",
            "  approval 0..60 ok",
            "  Invocation 60..60 ok SUCCEEDED",
        ]
    );
    assert_eq!(attribute(&collected.named("approval"), "durable.operation.type").unwrap(), "CALLBACK");
}

#[test]
fn a_failed_callback_is_an_error() {
    let ((), collected) = traced(async |engine| {
        let run = engine.start(approved, ()).await;
        run.fail("approval", ErrorObject::new("Denied", "no")).await;
        run.result().await.unwrap_err();
    });
    let approval = collected.named("approval");
    assert_eq!(attribute(&approval, "error.type").unwrap(), "Denied");
    assert_eq!(attribute(&approval, "durable.operation.status").unwrap(), "FAILED");
}

#[test]
fn an_engine_that_dies_between_and_during_invocations_changes_no_span_of_an_operation() {
    let ((), collected) = traced(async |engine| {
        let run = engine.start(nested, ()).await;
        settle().await;
        for _ in 0..2 {
            engine.kill().await;
            engine.revive();
            settle().await;
        }
        assert_eq!(run.result().await.unwrap(), 6);
    });
    let ((), calm) = traced(async |engine| {
        engine.start(nested, ()).await.result().await.unwrap();
    });
    let operations = |collected: &Collected| {
        let mut tree = collected.tree();
        tree.retain(|line| !line.contains("Invocation"));
        tree
    };
    assert_eq!(operations(&collected), operations(&calm));
}

#[durable_step]
async fn slow() -> Result<(), Error> {
    tokio::time::sleep(Duration::from_secs(3)).await;
    Ok(())
}

#[durable_execution]
async fn patient() -> Result<(), Error> {
    slow().await
}

#[test]
fn an_attempt_that_is_cut_off_ends_with_its_invocation_and_is_made_again() {
    let ((), collected) = traced(async |engine| {
        let run = engine.start(patient, ()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        engine.kill().await;
        engine.revive();
        run.result().await.unwrap();
    });
    assert_eq!(
        collected.tree(),
        [
            "Workflow 0..4 ok",
            "  Invocation 0..1 unset ABANDONED",
            "  slow 0..4 ok",
            "    slow attempt 1 0..1 unset true",
            "    slow attempt 1 1..4 ok",
            "  Invocation 1..4 ok SUCCEEDED",
        ]
    );
}

#[durable_execution]
async fn hurried() -> Result<u32, Error> {
    race!(slow(), async {
        wait("1s").named("enough").await;
        Ok(())
    })
    .await?;
    wait("5s").named("later").await;
    pack(1).await
}

#[test]
fn an_attempt_that_loses_a_race_is_no_failure() {
    let ((), collected) = traced(async |engine| {
        engine.start(hurried, ()).await.result().await.unwrap();
    });
    assert_eq!(
        collected.tree(),
        [
            "Workflow 0..6 ok",
            "  Parallel 0..1 ok",
            "    parallel-branch-0 0..1 unset",
            "      slow 0..1 unset",
            "        slow attempt 1 0..1 unset true",
            "    parallel-branch-1 0..1 ok",
            "      enough 0..1 ok",
            "  Invocation 0..1 ok PENDING",
            "  later 1..6 ok",
            "  pack 6..6 ok",
            "    pack attempt 1 6..6 ok",
            "  Invocation 6..6 ok SUCCEEDED",
        ]
    );
    assert_eq!(attribute(&collected.named("slow"), "durable.operation.abandoned").unwrap(), "true");
}

#[durable_execution]
async fn overtaken() -> Result<(), Error> {
    race!(slow(), async {
        wait("5s").named("late").await;
        Ok(())
    })
    .await?;
    // Meanwhile the timer ends at the service.
    slow().await?;
    wait("1s").named("after").await;
    Ok(())
}

#[test]
fn a_timer_that_lost_a_race_is_exported_when_the_race_ends_and_not_again() {
    let ((), collected) = traced(async |engine| {
        engine.start(overtaken, ()).await.result().await.unwrap();
    });
    let tree = collected.tree();
    let late: Vec<_> = tree.iter().filter(|line| line.contains("late")).collect();
    assert_eq!(late, ["      late 0..3 unset"]);
}

#[durable_step]
async fn look(seen: u32) -> Result<Condition<u32>, Error> {
    Ok(if seen < 2 { Condition::NotYet(seen + 1) } else { Condition::Met(seen) })
}

#[durable_execution]
async fn polling() -> Result<u32, Error> {
    wait_for_condition(0, look).every("2s").await
}

#[test]
fn each_check_of_a_condition_is_an_attempt() {
    let ((), collected) = traced(async |engine| {
        engine.start(polling, ()).await.result().await.unwrap();
    });
    let mut tree = collected.tree();
    tree.retain(|line| !line.contains("Invocation"));
    assert_eq!(
        tree,
        [
            "Workflow 0..4 ok",
            "  look 0..4 ok",
            "    look attempt 1 0..0 ok",
            "    look attempt 2 2..2 ok",
            "    look attempt 3 4..4 ok",
        ]
    );
}

#[test]
fn every_execution_has_a_trace_of_its_own_that_begins_with_its_start() {
    let ((), collected) = traced(async |engine| {
        for _ in 0..2 {
            engine.start(shipping, 1).await.result().await.unwrap();
        }
    });
    let workflows: Vec<_> = collected.spans().into_iter().filter(|span| span.name == "Workflow").collect();
    assert_eq!(workflows.len(), 2);
    let traces: Vec<TraceId> = workflows.iter().map(|span| span.span_context.trace_id()).collect();
    assert_ne!(traces[0], traces[1]);
    for span in workflows {
        let seconds = span.start_time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let trace = u128::from_be_bytes(span.span_context.trace_id().to_bytes());
        assert_eq!(trace >> 96, u128::from(seconds), "X-Ray takes only ids that begin with the time");
    }
}
