//! How invocations and executions end.

use durable_runtime::protocol::{OperationStatus as Status, OperationType as Type, limits};

use super::*;
use crate::service::{CONSECUTIVE_FAILURES, ExecutionStatus, Finished};

fn error() -> ErrorObject {
    ErrorObject::new("E", "no")
}

#[test]
fn the_invocations_end_precedes_the_event_that_it_causes() {
    for (output, status, event) in [
        (
            InvocationOutput::Succeeded { result: Some("1".into()) },
            ExecutionStatus::Succeeded,
            "ExecutionSucceeded",
        ),
        (InvocationOutput::Failed { error: Some(error()) }, ExecutionStatus::Failed, "ExecutionFailed"),
        (InvocationOutput::Failed { error: None }, ExecutionStatus::Failed, "ExecutionFailed"),
    ] {
        let mut script = Script::begun();
        script.finish(Ok(output));
        assert_eq!(script.events(), ["ExecutionStarted", "InvocationCompleted", event]);
        let record = script.execution.record();
        assert_eq!((record.status, record.ended_at, record.due_at), (status, Some(script.now), None));
        assert!(script.execution.operations()[0].status.is_terminal());
    }
}

#[test]
fn a_large_result_is_checkpointed_and_the_answer_does_not_overwrite_it() {
    let mut script = Script::begun();
    let request = script.request(vec![succeed("execution-result-1", Type::Execution, "\"large\"")]);
    let response = script.send(request).unwrap();
    assert_eq!(response.checkpoint_token, None);
    script.finish(Ok(InvocationOutput::Succeeded { result: Some("".into()) }));
    assert_eq!(script.execution.record().result.as_deref(), Some("\"large\""));
    assert_eq!(script.events(), ["ExecutionStarted", "ExecutionSucceeded", "InvocationCompleted"]);
    assert_eq!(script.events[1].id.as_deref(), Some(&*script.execution.record().id));
    assert_eq!(script.execution.operations().len(), 1, "the update's own id is ignored");
}

#[test]
fn a_result_too_large_for_an_answer_is_a_failed_invocation() {
    let mut script = Script::begun();
    let result = "x".repeat(limits::INVOCATION_RESULT + 1);
    script.finish(Ok(InvocationOutput::Succeeded { result: Some(result.into()) }));
    assert_eq!(script.execution.record().failures, 1);
}

#[test]
fn the_fifth_failure_in_a_row_ends_the_execution_and_the_pauses_grow() {
    let mut script = Script::begun();
    for pause_millis in [100, 500, 2500, 5000] {
        script.finish(Err(error()));
        let owed = script.execution.record().owed_at.unwrap();
        assert_eq!(owed.since(script.now).as_millis(), pause_millis);
        assert!(!script.execution.owes_invocation(script.now));
        script.now = owed;
        script.begin();
    }
    script.finish(Err(error()));
    assert_eq!(script.execution.record().failures, CONSECUTIVE_FAILURES);
    assert_eq!(*script.events().last().unwrap(), "ExecutionFailed");
    assert_eq!(script.execution.record().error, Some(error()));
}

#[test]
fn failures_of_an_execution_that_makes_progress_are_not_in_a_row() {
    let mut script = Script::begun();
    for number in 0..20 {
        let id = format!("s{number}");
        script.checkpoint(vec![start(&id, Type::Step), succeed(&id, Type::Step, "1")]);
        script.finish(Err(error()));
        assert_eq!(script.execution.record().failures, 1);
        script.now = script.execution.record().owed_at.unwrap();
        script.begin();
    }
    // From here on it dies in the same place each time; beginning the same step again is no progress.
    script.checkpoint(vec![start("last", Type::Step)]);
    for _ in 0..CONSECUTIVE_FAILURES {
        assert!(!script.execution.record().status.is_terminal());
        script.finish(Err(error()));
        if let Some(owed) = script.execution.record().owed_at {
            script.now = owed;
            script.begin();
        }
    }
    assert_eq!(script.execution.record().status, ExecutionStatus::Failed);
}

#[test]
fn a_clean_invocation_resets_the_count_of_failures() {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 3600)]);
    script.finish(Err(error()));
    script.after(1).begin();
    script.suspend();
    assert_eq!(script.execution.record().failures, 0);
}

#[test]
fn pending_with_nothing_pending_counts_as_a_failure() {
    let mut script = Script::begun();
    // A step that is merely running is nothing to wait for.
    script.checkpoint(vec![start("s", Type::Step)]);
    script.suspend();
    assert_eq!(script.execution.record().failures, 1);
    let error = &script.last_event()["InvocationCompletedDetails"]["Error"]["Payload"];
    assert_eq!(error["ErrorType"], "InvalidInvocationOutput");
}

#[test]
fn a_step_that_ran_when_the_process_died_is_still_started() {
    let mut script = Script::begun();
    script.checkpoint(vec![start("s", Type::Step)]);
    assert!(script.execution.recover(script.now));
    script.drain();
    let completed = script.last_event();
    assert_eq!(completed["InvocationCompletedDetails"]["Error"]["Payload"]["ErrorType"], "Runtime.ExitError");
    assert_eq!(script.execution.record().failures, 0, "restarting the process is no failure of the function");
    assert!(!script.execution.recover(script.now), "once");
    script.begin();
    assert_eq!(script.status("s"), Status::Started);
}

#[test]
fn a_stop_during_an_invocation_wins() {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 60)]);
    let stopped_at = script.execution.stop(None, script.now);
    script.drain();
    let error = &script.last_event()["ExecutionStoppedDetails"]["Error"]["Payload"];
    assert_eq!(error["ErrorMessage"], "Execution stopped by user request");
    assert!(script.refused(Vec::new()).starts_with("Invalid Checkpoint Token"));
    script.after(1).finish(Ok(InvocationOutput::Succeeded { result: Some("1".into()) }));
    assert_eq!(script.execution.record().status, ExecutionStatus::Stopped);
    assert_eq!(*script.events().last().unwrap(), "InvocationCompleted");
    assert_eq!(script.execution.stop(None, script.now), stopped_at);
    assert_eq!(script.execution.record().result, None);
}

#[test]
fn the_answer_of_an_invocation_that_is_not_current_is_ignored() {
    let mut script = Script::begun();
    let ended = Ok(InvocationOutput::Succeeded { result: None });
    let finished = script.execution.finish_invocation(Uuid::from_u128(99), ended, script.now);
    assert_eq!(finished, Finished::Ignored);
    assert!(script.execution.take_changes().is_empty());
}

#[test]
fn an_execution_runs_out_of_time_suspended_or_not() {
    let mut script = Script::created(30);
    script.begin();
    script.checkpoint(vec![wait("w", 60)]);
    script.suspend();
    script.after(30).fire();
    assert_eq!(script.execution.record().status, ExecutionStatus::TimedOut);
    let error = &script.last_event()["ExecutionTimedOutDetails"]["Error"]["Payload"];
    assert_eq!(error["ErrorMessage"], "Execution timed out after 30 seconds.");
    let mut script = Script::created(30);
    script.begin();
    script.after(30).fire();
    assert_eq!(script.execution.record().status, ExecutionStatus::TimedOut);
    assert!(script.refused(Vec::new()).starts_with("Invalid Checkpoint Token"));
}
