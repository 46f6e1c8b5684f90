//! What the record shows on the way.

use serde_json::json;
use workflows::{
    ports::WorkflowId,
    research::{Phase, Status},
};

use crate::{
    application::{Application, HOUR, with},
    memory::settings,
};

async fn shows(app: &Application, id: &WorkflowId, status: Status, step: &str, percent: u8) {
    let workflow = app.view(id).await.workflow;
    let shown = (workflow.status, workflow.current_step.as_deref(), workflow.progress_percent);
    assert_eq!(shown, (status, Some(step), percent));
}

async fn audit(app: &Application, id: &WorkflowId) -> Vec<String> {
    let view = app.view(id).await;
    let mut from = None;
    for entry in &view.audit {
        assert_eq!(entry.from, from, "no move is missing: {:?}", view.audit);
        from = Some(entry.to);
    }
    view.audit.iter().map(|entry| format!("{} by {}", entry.to, entry.who)).collect()
}

async fn steps(app: &Application, id: &WorkflowId) -> Vec<String> {
    app.view(id).await.workflow.steps_completed.into_iter().map(|step| step.name).collect()
}

#[test]
fn the_record_follows_an_approved_workflow() {
    with(settings(), async |app| {
        let id = app.start().await;
        let task = app.next_task().await;
        shows(&app, &id, Status::Pending, "research_phase_await", 20).await;
        tokio::time::sleep(3 * HOUR).await;
        shows(&app, &id, Status::Pending, "research_phase_await", 20).await;
        app.succeed(&task, json!({ "findings": ["one"] })).await;

        let task = app.next_task().await;
        assert_eq!(task.inputs["research"], json!({ "findings": ["one"] }));
        shows(&app, &id, Status::Pending, "analysis_phase_await", 40).await;
        app.succeed(&task, json!({ "themes": ["two"] })).await;
        shows(&app, &id, Status::AwaitingApproval, "human_approval", 60).await;
        {
            let state = app.memory.state();
            let [notification] = state.notifications.as_slice() else { panic!("{:?}", state.notifications) };
            assert!(notification.review_url.ends_with("/analysis.json?hours=24"), "{notification:?}");
        }

        tokio::time::sleep(20 * HOUR).await;
        app.decide(&id, true).await;
        let task = app.next_task().await;
        assert_eq!(task.phase, Phase::Writing);
        shows(&app, &id, Status::Pending, "writing_phase_await", 80).await;
        app.succeed(&task, json!({ "report": "# Report" })).await;
        let delivery = app.outcome(&id).await.unwrap();
        assert_eq!((delivery.status, delivery.comment.as_deref()), (Status::Completed, Some("so be it")));
        assert!(delivery.report.unwrap().url.ends_with("/report.md?hours=168"));

        let workflow = app.view(&id).await.workflow;
        assert_eq!((workflow.progress_percent, workflow.current_step), (100, None));
        assert_eq!(steps(&app, &id).await, workflows::research::MANDATORY_STEPS);
        let expected = [
            "INITIALIZING by api",
            "RUNNING by init_workflow",
            "PENDING by research_phase_dispatch",
            "RUNNING by callback",
            "PENDING by analysis_phase_dispatch",
            "RUNNING by callback",
            "AWAITING_APPROVAL by request_approval",
            "RUNNING by writing_phase_dispatch",
            "PENDING by writing_phase_dispatch",
            "RUNNING by callback",
            "COMPLETED by finalize_workflow",
        ];
        assert_eq!(
            without_races(audit(&app, &id).await),
            without_races(expected.map(str::to_owned).to_vec())
        );
        let kinds: Vec<_> = app.memory.state().events.iter().map(|event| event.kind.clone()).collect();
        assert_eq!(kinds, ["approval_requested", "workflow_completed"]);
    });
}

/// Whether the callback handler or the workflow's next step is first to say that it runs again is open.
fn without_races(moves: Vec<String>) -> Vec<String> {
    moves.into_iter().map(|it| if it.starts_with("RUNNING") { "RUNNING".to_owned() } else { it }).collect()
}

#[test]
fn the_record_follows_a_rejected_workflow() {
    with(settings(), async |app| {
        let id = app.start().await;
        app.analysed().await;
        app.decide(&id, false).await;
        let delivery = app.outcome(&id).await.unwrap();
        assert_eq!((delivery.status, delivery.report), (Status::Rejected, None));
        assert_eq!(delivery.comment.as_deref(), Some("so be it"));
        let steps = steps(&app, &id).await;
        assert_eq!(steps[..7], workflows::research::MANDATORY_STEPS[..7]);
        assert_eq!(steps[7..], ["reject_workflow"]);
        assert_eq!(audit(&app, &id).await.last().unwrap(), "REJECTED by reject_workflow");
    });
}
