//! Steps and contexts: states, attempts, events.

use durable_runtime::protocol::{OperationStatus as Status, OperationType as Type, OperationUpdate};

use super::*;

#[test]
fn a_retried_step_counts_attempts_and_becomes_ready_without_an_event() {
    let mut script = Script::begun();
    script.checkpoint(vec![start("s", Type::Step)]);
    assert_eq!(script.operation("s").step_details.as_ref().unwrap().attempt, None);
    script.checkpoint(vec![OperationUpdate { error: Some(ErrorObject::new("E", "no")), ..retry("s", 30) }]);
    let details = script.operation("s").step_details.clone().unwrap();
    assert_eq!((script.status("s"), details.attempt), (Status::Pending, Some(1)));
    assert_eq!(details.next_attempt_timestamp, Some(script.now.after(std::time::Duration::from_secs(30))));
    let failed = script.last_event();
    assert_eq!(failed["StepFailedDetails"]["RetryDetails"]["CurrentAttempt"], 1);
    assert_eq!(failed["StepFailedDetails"]["RetryDetails"]["NextAttemptDelaySeconds"], 30);
    script.suspend();
    script.after(29).fire();
    assert_eq!(script.status("s"), Status::Pending);
    script.after(1).fire();
    assert_eq!(script.status("s"), Status::Ready);
    assert_eq!(script.operation("s").step_details.as_ref().unwrap().next_attempt_timestamp, None);
    let input = script.begin();
    assert_eq!(input.updated_operation_ids, [OperationId::new("s")]);
    script.checkpoint(vec![start("s", Type::Step), succeed("s", Type::Step, "2")]);
    let details = script.operation("s").step_details.clone().unwrap();
    assert_eq!((details.attempt, details.result.as_deref(), details.error), (Some(2), Some("2"), None));
    let succeeded = script.last_event();
    assert_eq!(succeeded["StepSucceededDetails"]["Result"]["Truncated"], false);
    assert_eq!(succeeded["StepSucceededDetails"]["RetryDetails"], serde_json::json!({"CurrentAttempt": 2}));
    script.finish(Ok(InvocationOutput::Succeeded { result: None }));
    assert_eq!(
        script.events(),
        [
            "ExecutionStarted",
            "StepStarted",
            "StepFailed",
            "InvocationCompleted",
            "StepStarted",
            "StepSucceeded",
            "InvocationCompleted",
            "ExecutionSucceeded"
        ]
    );
}

#[test]
fn a_conditions_state_survives_ready_and_started() {
    let mut script = Script::begun();
    script.checkpoint(vec![
        start("c", Type::Step),
        OperationUpdate { payload: Some("{\"polls\":1}".into()), ..retry("c", 5) },
    ]);
    // A RETRY without an error is a successful attempt, with its own copy of the state.
    assert_eq!(script.last_event()["StepSucceededDetails"]["Result"]["Payload"], "{\"polls\":1}");
    script.suspend();
    script.after(5).fire();
    script.begin();
    script.checkpoint(vec![start("c", Type::Step)]);
    let state = script.operation("c").step_details.as_ref().unwrap().result.clone();
    assert_eq!((script.status("c"), state.as_deref()), (Status::Started, Some("{\"polls\":1}")));
}

#[test]
fn a_retry_that_is_due_during_the_invocation_is_ready_in_the_next_answer() {
    let mut script = Script::begun();
    script.checkpoint(vec![start("s", Type::Step), retry("s", 1)]);
    let changed = script.after(1).checkpoint(Vec::new());
    assert_eq!((changed.len(), changed[0].status), (1, Status::Ready));
    assert!(script.checkpoint(Vec::new()).is_empty(), "delivered once");
}

#[test]
fn names_parents_and_sub_types_are_echoed_and_the_delta_is_whole() {
    let mut script = Script::begun();
    let named = OperationUpdate {
        name: Some("reserve".into()),
        sub_type: Some("Step".into()),
        ..inside("c", start("s", Type::Step))
    };
    script.checkpoint(vec![start("c", Type::Context), named]);
    let changed = script.checkpoint(vec![inside("c", succeed("s", Type::Step, "1"))]);
    assert_eq!(changed.len(), 1);
    let operation = serde_json::to_value(&changed[0]).unwrap();
    assert_eq!(operation["Name"], "reserve");
    assert_eq!(operation["SubType"], "Step");
    assert_eq!(operation["ParentId"], "c");
    assert_eq!(operation["StepDetails"], serde_json::json!({"Attempt": 1, "Result": "1"}));
    assert_eq!(operation["EndTimestamp"], script.now.as_millis());
    let event = script.last_event();
    assert_eq!((&event["Name"], &event["ParentId"]), (&operation["Name"], &operation["ParentId"]));
}

#[test]
fn only_what_changed_is_to_be_stored_and_a_step_never_touches_the_record() {
    let mut script = Script::begun();
    script.checkpoint(vec![start("a", Type::Step)]);
    let mut resolve = |_: &str| None;
    let mut surroundings = Surroundings { now: script.now, nonce: 1, resolve: &mut resolve };
    let request = script.request(vec![succeed("a", Type::Step, "1"), start("b", Type::Step)]);
    script.execution.checkpoint(request, &mut surroundings).unwrap();
    let changes = script.execution.take_changes();
    assert!(changes.record.is_none());
    assert_eq!(changes.operations.iter().map(|changed| changed.position).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(changes.events.len(), 2);
    assert_eq!(changes.events[0].payload_home, Some(crate::service::PayloadHome::Operation(1)));
    assert!(script.execution.take_changes().is_empty());
}
