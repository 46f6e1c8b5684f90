//! Callbacks, as the aggregate sees them; the engine's tests have the rest.

use durable_runtime::protocol::{CallbackOptions, OperationStatus as Status, OperationType as Type};

use super::*;
use crate::service::{CallbackId, CallbackOutcome, CallbackRefusal};

fn callback(timeout: u64, heartbeat: u64) -> OperationUpdate {
    OperationUpdate {
        callback_options: Some(CallbackOptions {
            timeout_seconds: Some(timeout),
            heartbeat_timeout_seconds: Some(heartbeat),
        }),
        ..start("c", Type::Callback)
    }
}

fn id(script: &Script) -> CallbackId {
    let details = script.operation("c").callback_details.as_ref().unwrap();
    CallbackId::parse(details.callback_id.as_deref().unwrap()).unwrap()
}

#[test]
fn the_started_event_has_the_id_and_the_limits_and_zero_is_no_limit() {
    let mut script = Script::begun();
    script.checkpoint(vec![callback(0, 7)]);
    let details = &script.last_event()["CallbackStartedDetails"];
    assert_eq!(details["CallbackId"], id(&script).to_string());
    assert_eq!((&details["HeartbeatTimeout"], details.get("Timeout")), (&serde_json::json!(7), None));
}

#[test]
fn a_completion_during_the_invocation_is_delivered_and_invokes_again() {
    let mut script = Script::begun();
    script.checkpoint(vec![callback(0, 0)]);
    let outcome = CallbackOutcome::Succeeded(Some("ok".into()));
    script.execution.complete_callback(&id(&script), outcome.clone(), script.now).unwrap();
    let changed = script.checkpoint(Vec::new());
    assert_eq!((changed.len(), changed[0].status), (1, Status::Succeeded));
    // Delivered, but one of the official SDKs does not act on it: the next invocation must follow.
    script.suspend();
    assert_eq!(script.begin().updated_operation_ids, [OperationId::new("c")]);
    let again = script.execution.complete_callback(&id(&script), CallbackOutcome::Failed(None), script.now);
    assert_eq!(again, Err(CallbackRefusal::Closed(outcome)));
}

#[test]
fn a_time_limit_that_has_passed_counts_before_its_timer_was_served() {
    let mut script = Script::begun();
    script.checkpoint(vec![callback(10, 0)]);
    script.suspend();
    script.after(10);
    let late = script.execution.complete_callback(&id(&script), CallbackOutcome::Succeeded(None), script.now);
    assert!(
        matches!(late, Err(CallbackRefusal::TimedOut(error)) if error.kind() == Some("Callback.Timeout"))
    );
    script.drain();
    assert_eq!(*script.events().last().unwrap(), "CallbackTimedOut");
    script.begin();
}

#[test]
fn an_ended_execution_takes_no_callback() {
    let mut script = Script::begun();
    script.checkpoint(vec![callback(10, 0)]);
    script.finish(Ok(InvocationOutput::Succeeded { result: None }));
    let late = script.execution.complete_callback(&id(&script), CallbackOutcome::Succeeded(None), script.now);
    assert_eq!(late, Err(CallbackRefusal::ExecutionEnded(crate::service::ExecutionStatus::Succeeded)));
    assert_eq!(script.execution.record().due_at, None, "leftover timers are dropped");
    assert_eq!(script.status("c"), Status::Started, "open operations stay as they are");
}
