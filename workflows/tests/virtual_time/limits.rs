//! Nobody answers: each limit ends the workflow when it should, with its own error.

use std::time::Duration;

use serde_json::json;
use workflows::{
    error::WorkflowError,
    ports::Settings,
    research::{Phase, Status},
};

use crate::{
    application::{HOUR, MINUTE, with},
    memory::settings,
};

fn silent(phase: Phase, hours: u64) -> WorkflowError {
    WorkflowError::AgentTimedOut { phase, message: format!("no answer within {hours} h") }
}

#[test]
fn a_silent_researcher_has_4_hours() {
    with(settings(), async |app| {
        let id = app.start().await;
        tokio::time::sleep(4 * HOUR - MINUTE).await;
        assert_eq!(app.status(&id).await, Status::Pending);
        assert_eq!(app.failure(&id).await, silent(Phase::Research, 4));
        assert_eq!(app.seconds(), 4 * 3600);
    });
}

#[test]
fn a_silent_analyst_has_2_hours() {
    with(settings(), async |app| {
        let id = app.start().await;
        app.researched().await;
        assert_eq!(app.failure(&id).await, silent(Phase::Analysis, 2));
        assert_eq!(app.seconds(), 2 * 3600);
    });
}

#[test]
fn a_silent_writer_has_1_hour() {
    with(settings(), async |app| {
        let id = app.start().await;
        app.analysed().await;
        app.decide(&id, true).await;
        assert_eq!(app.failure(&id).await, silent(Phase::Writing, 1));
        assert_eq!(app.seconds(), 3600);
    });
}

#[test]
fn a_reviewer_has_24_hours_or_what_is_configured() {
    for (settings, hours) in [(settings(), 24), (Settings { approval_timeout: 3 * HOUR, ..settings() }, 3)] {
        with(settings, async |app| {
            let id = app.start().await;
            app.analysed().await;
            tokio::time::sleep(Duration::from_secs(hours * 3600) - MINUTE).await;
            assert_eq!(app.status(&id).await, Status::AwaitingApproval);
            assert_eq!(app.failure(&id).await, WorkflowError::ApprovalTimedOut { hours });
            assert_eq!(app.seconds(), hours * 3600);
            let late =
                app.service.decide(&id, workflows::research::Approval { approved: true, comment: None });
            assert!(late.await.is_err_and(|error| error.to_string().contains("FAILED")));
        });
    }
}

#[test]
fn heartbeats_keep_an_agent_alive_and_their_end_is_noticed() {
    let settings = Settings { heartbeat_timeout: Some(10 * MINUTE), ..settings() };
    with(settings, async |app| {
        let id = app.start().await;
        let task = app.next_task().await;
        for _ in 0..20 {
            tokio::time::sleep(9 * MINUTE).await;
            let answer = app.call_back(&json!({ "token": task.callback_token, "status": "HEARTBEAT" })).await;
            assert_eq!((answer.status, &answer.body["status"]), (200, &json!("heartbeat_recorded")));
        }
        assert_eq!(app.status(&id).await, Status::Pending);
        let message = "its heartbeats stopped".to_owned();
        assert_eq!(app.failure(&id).await, WorkflowError::AgentTimedOut { phase: Phase::Research, message });
        assert_eq!(app.seconds(), (20 * 9 + 10) * 60);
    });
}

#[test]
fn without_a_configured_limit_nobody_misses_heartbeats() {
    with(settings(), async |app| {
        let id = app.start().await;
        let task = app.next_task().await;
        tokio::time::sleep(4 * HOUR - MINUTE).await;
        app.succeed(&task, json!({ "findings": ["late, but in time"] })).await;
        assert_eq!(app.status(&id).await, Status::Pending);
        assert_eq!(app.next_task().await.phase, Phase::Analysis);
    });
}

#[test]
fn a_callback_after_its_limit_is_kept_and_changes_nothing() {
    with(settings(), async |app| {
        let id = app.start().await;
        let task = app.next_task().await;
        app.failure(&id).await;
        let body = json!({ "token": task.callback_token, "status": "SUCCESS", "result": { "late": true } });
        let before = app.view(&id).await;
        for _ in 0..2 {
            let answer = app.call_back(&body).await;
            assert_eq!((answer.status, &answer.body["status"]), (200, &json!("callback_expired")));
        }
        let after = app.view(&id).await;
        assert_eq!((after.workflow, after.audit), (before.workflow, before.audit));
        assert!(app.memory.state().results.contains_key(&task.callback_token));
    });
}
