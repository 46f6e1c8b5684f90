//! Pauses: when they take effect, what goes on meanwhile, and what happens afterwards.

use durable_runtime::protocol::{CallbackOptions, OperationStatus as Status, OperationType as Type};
use serde_json::json;

use super::*;
use crate::service::{
    CallbackId, CallbackOutcome, ExecutionStatus as At, PauseOptions, ResumeOptions, WrongStatus,
};

fn by(client_token: &str) -> PauseOptions {
    PauseOptions { client_token: Some(client_token.to_owned()), ..PauseOptions::default() }
}

fn to_resume(client_token: &str) -> ResumeOptions {
    ResumeOptions { client_token: Some(client_token.to_owned()), ..ResumeOptions::default() }
}

impl Script {
    fn pause(&mut self) {
        self.execution.pause(PauseOptions::default(), self.now).unwrap();
        self.drain();
    }

    fn resume(&mut self) {
        self.execution.resume(ResumeOptions::default(), self.now).unwrap();
        self.drain();
    }

    fn at(&self) -> At {
        self.execution.record().status
    }
}

/// An execution that waits for a minute, between two invocations.
fn waiting() -> Script {
    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 60)]);
    script.suspend();
    script
}

#[test]
fn between_invocations_an_execution_is_paused_at_once() {
    let mut script = waiting();
    let options = PauseOptions { reason: Some("lunch".into()), ..PauseOptions::default() };
    script.execution.pause(options, script.now).unwrap();
    script.drain();
    assert_eq!(script.at(), At::Paused);
    let paused = script.last_event();
    let now = script.now.as_millis();
    assert_eq!(paused["EventType"], "ExecutionPaused");
    assert_eq!(paused["Id"], &*script.execution.record().id);
    let details = json!({
        "PauseRequestTimestamp": now, "Reason": { "Payload": "lunch", "Truncated": false },
        "ExecutionTimeoutPaused": true,
    });
    assert_eq!(paused["ExecutionPausedDetails"], details);
    let bare = serde_json::to_value(script.events.last().unwrap().clone().without_data()).unwrap();
    assert_eq!(bare["ExecutionPausedDetails"]["Reason"], json!({ "Truncated": true }));

    script.after(5);
    let options = ResumeOptions { reason: Some("fed".into()), ..ResumeOptions::default() };
    script.execution.resume(options, script.now).unwrap();
    script.drain();
    assert_eq!(script.at(), At::Running);
    let resumed = script.last_event();
    assert_eq!(resumed["EventType"], "ExecutionResumed");
    assert_eq!(resumed["ExecutionResumedDetails"]["ResumeRequestTimestamp"], now + 5000);
    assert_eq!(resumed["ExecutionResumedDetails"]["Reason"]["Payload"], "fed");
    assert!(!script.execution.owes_invocation(script.now), "it waits as before");
    script.after(55).fire();
    script.begin();
    assert_eq!(script.status("w"), Status::Succeeded);
}

#[test]
fn what_ends_during_a_pause_leads_to_an_invocation_afterwards() {
    let mut script = Script::begun();
    let callback = OperationUpdate {
        callback_options: Some(CallbackOptions { timeout_seconds: None, heartbeat_timeout_seconds: None }),
        ..start("c", Type::Callback)
    };
    script.checkpoint(vec![wait("w", 60), retry("s", 60), callback]);
    script.suspend();
    script.pause();
    script.after(60).fire();
    let id = script.operation("c").callback_details.as_ref().unwrap().callback_id.clone().unwrap();
    let id = CallbackId::parse(&id).unwrap();
    script.execution.complete_callback(&id, CallbackOutcome::Succeeded(None), script.now).unwrap();
    script.drain();
    assert_eq!(
        (script.status("w"), script.status("s"), script.status("c")),
        (Status::Succeeded, Status::Ready, Status::Succeeded)
    );
    assert!(!script.execution.owes_invocation(script.now), "it is paused");
    let due_at = script.execution.record().due_at;
    assert_eq!(due_at, Some(script.execution.record().deadline()), "nothing is to be done before");
    script.resume();
    assert_eq!(script.execution.record().due_at, Some(script.now));
    assert_eq!(script.begin().updated_operation_ids.len(), 3);
}

#[test]
fn a_pause_waits_for_a_checkpoint_that_leaves_no_attempt_under_way_and_keeps_what_it_says() {
    let mut script = Script::begun();
    script.checkpoint(vec![start("a", Type::Step), start("b", Type::Step)]);
    script.pause();
    assert_eq!(script.at(), At::Pausing);
    script.checkpoint(vec![succeed("a", Type::Step, "1"), start("c", Type::Step)]);
    assert_eq!(script.at(), At::Pausing, "others are under way");
    script.checkpoint(vec![succeed("b", Type::Step, "2")]);
    let mut last = script.request(vec![succeed("c", Type::Step, "3"), wait("w", 60)]);
    last.client_token = Some("again".into());
    for _ in 0..2 {
        // The second one is the same one, sent again because its answer was lost.
        let refusal = script.send(last.clone()).unwrap_err();
        assert_eq!(refusal.to_string(), "Invalid Checkpoint Token: the execution was paused");
    }
    assert_eq!(script.at(), At::Paused);
    assert_eq!((script.status("c"), script.status("w")), (Status::Succeeded, Status::Started));
    assert_eq!(*script.events().last().unwrap(), "ExecutionPaused");
    assert!(script.execution.state_page(&script.token, "", PageLimit::NONE).is_err());

    // Whatever the invocation makes of that, it neither ends the execution nor counts.
    for answer in [
        Err(ErrorObject::new("E", "stale")),
        Ok(InvocationOutput::Failed { error: None }),
        Ok(InvocationOutput::Succeeded { result: None }),
        Ok(InvocationOutput::Pending),
    ] {
        let mut script = Script::begun();
        script.pause();
        let refused = script.request(vec![succeed("a", Type::Step, "1")]);
        script.send(refused).unwrap_err();
        script.finish(answer);
        let record = script.execution.record();
        assert_eq!((record.status, record.failures), (At::Paused, 0));
        assert_eq!(*script.events().last().unwrap(), "InvocationCompleted");
        script.after(60).resume();
        let input = script.begin();
        assert_eq!(input.initial_execution_state.operations[1].status, Status::Succeeded);
    }
}

#[test]
fn an_invocation_that_was_cut_off_ends_before_the_next_one_begins() {
    let mut script = Script::begun();
    script.pause();
    let refused = script.request(Vec::new());
    script.send(refused).unwrap_err();
    script.resume();
    assert_eq!(script.at(), At::Running);
    assert!(!script.execution.owes_invocation(script.now), "the old one is still there");
    let request = script.request(Vec::new());
    assert!(script.send(request).is_err(), "its token is not valid again");
    script.finish(Err(ErrorObject::new("E", "stale")));
    script.begin();
}

#[test]
fn an_invocation_that_ends_by_itself_pauses_the_execution_unless_that_ends() {
    let mut script = Script::begun();
    script.pause();
    script.finish(Ok(InvocationOutput::Succeeded { result: None }));
    assert_eq!(script.at(), At::Succeeded);
    assert_eq!(script.events(), ["ExecutionStarted", "InvocationCompleted", "ExecutionSucceeded"]);
    assert_eq!(script.execution.record().pauses.current, None);

    let mut script = Script::begun();
    script.checkpoint(vec![wait("w", 60)]);
    script.pause();
    script.suspend();
    assert_eq!(script.at(), At::Paused);
    assert_eq!(script.events()[2..], ["InvocationCompleted", "ExecutionPaused"]);

    let mut script = Script::begun();
    script.pause();
    script.finish(Err(ErrorObject::new("E", "crashed")));
    assert_eq!((script.at(), script.execution.record().failures), (At::Paused, 1));
    script.after(60).fire();
    assert!(!script.execution.owes_invocation(script.now));
    script.resume();
    script.begin();
}

#[test]
fn an_invocation_that_died_with_its_process_pauses_the_execution_too() {
    let mut script = Script::begun();
    script.pause();
    assert!(script.execution.recover(script.now));
    script.drain();
    assert_eq!(script.at(), At::Paused);
    assert_eq!(script.events()[1..], ["InvocationCompleted", "ExecutionPaused"]);
    script.resume();
    script.begin();
}

#[test]
fn a_pause_that_has_not_taken_effect_is_taken_back_without_a_trace() {
    let mut script = Script::begun();
    script.pause();
    script.resume();
    assert_eq!(script.at(), At::Running);
    script.checkpoint(vec![succeed("a", Type::Step, "1")]);
    script.finish(Ok(InvocationOutput::Succeeded { result: None }));
    assert!(!script.events().iter().any(|event| event.ends_with("Paused") || event.ends_with("Resumed")));
}

#[test]
fn the_time_limit_stands_still_during_a_pause_unless_it_is_to_go_on() {
    for goes_on in [false, true] {
        let mut script = Script::created(100);
        script.begin();
        script.checkpoint(vec![wait("w", 10_000)]);
        script.suspend();
        let end = script.now.after(std::time::Duration::from_secs(100));
        assert_eq!(script.execution.record().deadline(), end);
        let options = PauseOptions { time_limit_goes_on: goes_on, ..PauseOptions::default() };
        script.after(50);
        script.execution.pause(options, script.now).unwrap();
        let longest = std::time::Duration::from_secs(31_622_400);
        let started = script.execution.record().started_at;
        let expected = if goes_on { end } else { started.after(longest) };
        assert_eq!(script.execution.record().deadline(), expected);
        script.after(60).fire();
        if goes_on {
            assert_eq!(script.at(), At::TimedOut);
            continue;
        }
        script.resume();
        assert_eq!(script.execution.record().deadline(), end.after(std::time::Duration::from_secs(60)));
        script.after(49).fire();
        assert_eq!(script.at(), At::Running);
        script.after(1).fire();
        assert_eq!(script.at(), At::TimedOut);
    }
}

#[test]
fn no_pause_lasts_longer_than_an_execution_may() {
    let mut script = waiting();
    script.pause();
    script.after(31_622_400).fire();
    assert_eq!(script.at(), At::TimedOut);
}

#[test]
fn a_paused_execution_can_be_stopped() {
    let mut script = waiting();
    script.pause();
    script.execution.stop(None, script.now);
    script.drain();
    assert_eq!(script.at(), At::Stopped);
    assert_eq!(script.execution.record().due_at, None);
}

#[test]
fn a_repeated_request_is_no_second_one_and_another_is_refused() {
    let mut script = waiting();
    let refused = |status| Err(WrongStatus(status));
    assert_eq!(script.execution.resume(to_resume("r"), script.now), refused(At::Running));
    assert_eq!(script.execution.pause(by("p"), script.now), Ok(()));
    assert_eq!(script.execution.pause(by("p"), script.now), Ok(()));
    assert_eq!(script.execution.pause(by("other"), script.now), refused(At::Paused));
    assert_eq!(script.execution.pause(PauseOptions::default(), script.now), refused(At::Paused));
    assert_eq!(script.execution.resume(to_resume("r"), script.now), Ok(()));
    assert_eq!(script.execution.resume(to_resume("r"), script.now), Ok(()));
    assert_eq!(script.execution.pause(by("p"), script.now), Ok(()), "late, and without effect");
    assert_eq!(script.at(), At::Running);
    script.after(15 * 60 + 1);
    assert_eq!(script.execution.pause(by("p"), script.now), Ok(()));
    assert_eq!(script.at(), At::Paused, "a new request after so long");
    script.execution.stop(None, script.now);
    assert_eq!(script.execution.pause(by("q"), script.now), refused(At::Stopped));
    assert_eq!(script.execution.resume(to_resume("q"), script.now), refused(At::Stopped));
}
