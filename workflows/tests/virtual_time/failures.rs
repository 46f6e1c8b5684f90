//! Agents that refuse, hang, fail or answer too late.

use serde_json::json;
use workflows::{
    error::WorkflowError,
    research::{Phase, Status},
};

use crate::{
    application::{HOUR, with},
    memory::{Dispatch, settings},
};

#[test]
fn an_agents_failure_is_typed_and_sanitised() {
    with(settings(), async |app| {
        let id = app.start().await;
        let task = app.researched().await;
        let error =
            json!({ "type": "Disk", "message": "open /home/me/x.db: denied\nAuthorization: Bearer abc" });
        let body = json!({ "token": task.callback_token, "status": "FAILURE", "error": error });
        assert_eq!(app.call_back(&body).await.status, 200);
        let expected = WorkflowError::AgentInvocation {
            phase: Phase::Analysis,
            message: "open [path]: denied Authorization: [redacted] [redacted]".to_owned(),
            retryable: false,
        };
        assert_eq!(app.failure(&id).await, expected);
    });
}

#[test]
fn an_agent_that_never_accepts_fails_its_invocation() {
    with(settings(), async |app| {
        app.memory.state().dispatches.extend(vec![Dispatch::Hangs; 12]);
        let id = app.start().await;
        let error = app.failure(&id).await;
        let message = "it did not accept the task within 120 s".to_owned();
        assert_eq!(
            error,
            WorkflowError::AgentInvocation { phase: Phase::Research, message, retryable: true }
        );
        let attempts =
            app.view(&id).await.operations.into_iter().find(|it| it.name == "research_phase_dispatch");
        assert_eq!(attempts.unwrap().attempts, Some(12));
        assert!(app.seconds() >= 12 * 120, "{}", app.seconds());
    });
}

#[test]
fn an_agent_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    with(settings(), async |app| {
        app.memory.state().dispatches.extend([Dispatch::Busy("503"), Dispatch::Hangs, Dispatch::Busy("429")]);
        let id = app.start().await;
        assert_eq!(app.next_task().await.phase, Phase::Research);
        assert_eq!(app.status(&id).await, Status::Pending);

        app.memory.state().dispatches.push_back(Dispatch::Refused("no such task"));
        let id = app.start().await;
        let begun = app.seconds();
        assert_eq!(app.failure(&id).await, WorkflowError::agent(Phase::Research, "no such task"));
        assert_eq!(app.seconds(), begun, "refused once and for all");
    });
}

#[test]
fn a_callback_after_the_cancellation_is_kept_and_changes_nothing() {
    with(settings(), async |app| {
        let id = app.start().await;
        let task = app.next_task().await;
        let cancelled = app.service.cancel(&id).await.unwrap();
        assert_eq!(cancelled.status, Status::Cancelled);
        assert!(app.outcome(&id).await.is_err());

        tokio::time::sleep(HOUR).await;
        let before = app.view(&id).await;
        let body =
            json!({ "token": task.callback_token, "status": "SUCCESS", "result": { "findings": [1] } });
        let answer = app.call_back(&body).await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!("callback_expired")));
        let after = app.view(&id).await;
        assert_eq!((&after.workflow, &after.audit), (&before.workflow, &before.audit));
        assert_eq!(after.callbacks.last().unwrap().answer, "callback_expired");
        let state = app.memory.state();
        assert!(state.results.contains_key(&task.callback_token));
        assert!(state.tasks.is_empty(), "the analyst is not asked");
        let kinds: Vec<_> = state.events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["workflow_cancelled"]);
    });
}
