//! Waits, and the races between their end and the end of an invocation.

use durable_runtime::protocol::{OperationAction, OperationStatus as Status, OperationType as Type};

use super::*;

#[test]
fn a_wait_ends_by_time_and_invokes_again() {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 60)]);
    let started = script.last_event();
    assert_eq!(started["WaitStartedDetails"]["Duration"], 60);
    assert_eq!(started["WaitStartedDetails"]["ScheduledEndTimestamp"], script.now.as_millis() + 60_000);
    script.suspend();
    assert!(!script.execution.owes_invocation(script.now));
    assert_eq!(script.execution.record().due_at, Some(script.now.after(std::time::Duration::from_secs(60))));
    script.after(59).fire();
    assert!(!script.execution.owes_invocation(script.now));
    script.after(1).fire();
    assert_eq!(script.last_event()["WaitSucceededDetails"]["Duration"], 60);
    assert_eq!(script.begin().updated_operation_ids, [OperationId::new("w")]);
}

#[test]
fn a_cancelled_wait_never_fires() {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 60), wait("other", 90)]);
    script.checkpoint(vec![update("w", Type::Wait, OperationAction::Cancel)]);
    assert_eq!(script.status("w"), Status::Cancelled);
    assert_eq!(script.last_event()["EventType"], "WaitCancelled");
    script.suspend();
    script.after(60).fire();
    assert!(!script.execution.owes_invocation(script.now));
}

#[test]
fn a_wait_that_ends_inside_a_checkpoint_needs_no_further_invocation() {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("short", 1), wait("long", 60)]);
    let changed = script.after(1).checkpoint(Vec::new());
    assert_eq!((changed.len(), changed[0].status), (1, Status::Succeeded));
    script.suspend();
    assert!(!script.execution.owes_invocation(script.now), "the invocation saw it");
}

#[test]
fn a_wait_that_ended_unseen_invokes_again_at_once() {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 1)]);
    script.after(1).suspend();
    assert_eq!(script.events()[2..], ["InvocationCompleted", "WaitSucceeded"]);
    assert_eq!(script.begin().updated_operation_ids, [OperationId::new("w")]);
}

#[test]
fn pending_is_valid_when_all_it_waited_for_completed_in_its_last_checkpoint() {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 1)]);
    script.after(1).checkpoint(Vec::new());
    script.suspend();
    assert_eq!(script.execution.record().failures, 0);
    script.begin();
}

#[test]
fn waits_are_left_to_the_running_invocations_checkpoint() {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 1)]);
    script.after(1).fire();
    assert_eq!(script.status("w"), Status::Started);
    assert_eq!(script.checkpoint(Vec::new())[0].status, Status::Succeeded);
}
