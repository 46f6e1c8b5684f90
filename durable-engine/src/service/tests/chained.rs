//! Chained invokes, from the caller's side.

use durable_runtime::protocol::{ChainedInvokeOptions, OperationStatus as Status, OperationType as Type};

use super::*;
use crate::service::{ChildOutcome, ExecutionStatus};

fn invoke(function: &str) -> OperationUpdate {
    OperationUpdate {
        payload: Some("{\"n\":1}".into()),
        chained_invoke_options: Some(ChainedInvokeOptions {
            function_name: function.into(),
            tenant_id: Some("t".into()),
            x_amzn_trace_id: None,
        }),
        ..start("i", Type::ChainedInvoke)
    }
}

#[test]
fn a_start_creates_the_other_execution_with_a_name_that_never_changes() {
    let mut script = Script::begun();
    script.checkpoint(vec![invoke("known:$LATEST")]);
    let child = script.children[0].record();
    assert_eq!((&*child.function, &*child.name), ("known", "1-0000000000000007-i"));
    assert_eq!(child.tenant.as_deref(), Some("t"));
    let started = &script.last_event()["ChainedInvokeStartedDetails"];
    assert_eq!(started["FunctionName"], "known:$LATEST");
    assert_eq!(started["DurableExecutionArn"], child.arn());
    assert_eq!(started["Input"]["Payload"], "{\"n\":1}");
    assert_eq!(script.children[0].operations()[0].status, Status::Started);
}

#[test]
fn a_function_that_does_not_exist_fails_the_operation_and_not_the_execution() {
    let mut script = Script::begun();
    let changed = script.checkpoint(vec![invoke("nowhere")]);
    assert_eq!((changed.len(), changed[0].status), (1, Status::Failed));
    assert!(script.children.is_empty());
    assert_eq!(script.events()[1..], ["ChainedInvokeStarted", "ChainedInvokeFailed"]);
    let error = &script.last_event()["ChainedInvokeFailedDetails"]["Error"]["Payload"];
    assert_eq!(error["ErrorMessage"], "Function not found: nowhere");
}

#[test]
fn each_way_in_which_the_other_execution_ends_is_a_status_and_an_event() {
    let error = || Some(ErrorObject::new("E", "no"));
    for (outcome, status, event) in [
        (ChildOutcome::Succeeded(Some("1".into())), Status::Succeeded, "ChainedInvokeSucceeded"),
        (ChildOutcome::Ended(ExecutionStatus::Failed, error()), Status::Failed, "ChainedInvokeFailed"),
        (ChildOutcome::Ended(ExecutionStatus::TimedOut, error()), Status::TimedOut, "ChainedInvokeTimedOut"),
        (ChildOutcome::Ended(ExecutionStatus::Stopped, error()), Status::Stopped, "ChainedInvokeStopped"),
    ] {
        let mut script = Script::begun();
        script.checkpoint(vec![invoke("known")]);
        script.suspend();
        let id = OperationId::new("i");
        assert!(script.execution.complete_invoke(&id, outcome.clone(), script.now));
        assert!(!script.execution.complete_invoke(&id, outcome, script.now), "only once");
        script.drain();
        assert_eq!((script.status("i"), *script.events().last().unwrap()), (status, event));
        assert_eq!(script.begin().updated_operation_ids, [id]);
    }
}

#[test]
fn an_ended_child_is_due_until_its_parent_was_told() {
    let mut script = Script::begun();
    script.checkpoint(vec![invoke("known")]);
    let mut child = script.children.remove(0);
    assert!(child.owed_to_parent().is_none(), "still running");
    child.stop(None, script.now);
    let changes = child.take_changes();
    assert_eq!(changes.record.unwrap().due_at, Some(script.now));
    let (parent, outcome) = child.owed_to_parent().unwrap();
    assert_eq!(parent.operation, OperationId::new("i"));
    assert!(matches!(outcome, ChildOutcome::Ended(ExecutionStatus::Stopped, Some(_))));
    child.settle_parent();
    assert_eq!(child.take_changes().record.unwrap().due_at, None);
}
