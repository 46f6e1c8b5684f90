//! The ways in which a workflow ends.

use std::time::Duration;

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::json;

use super::{
    Options,
    play::{LATER, SOON, approve, check_completed, held, next_task, quick_findings, text, topic},
};
use crate::{
    agents::{Behaviour, Phase},
    api::Message,
    stack::World,
};

/// The embedded agents do real work on real documents.
pub(super) async fn full_approval_path(world: &World, _: Options) -> Result<()> {
    let stack = &world.patient;
    let topic = "SQLite database in the engine";
    let key = uuid::Uuid::new_v4().to_string();
    let started = stack.api.start_once(topic, &key).await?.expect(202)?;
    let id = started.text("workflow_id").to_owned();
    let repeated = stack.api.start_once(topic, &key).await?.expect(202)?;
    ensure!(repeated.text("workflow_id") == id, "the idempotency key made a second workflow");
    stack.api.start_once("something else", &key).await?.expect(422)?;

    let waiting = stack.api.wait_for(&id, "AWAITING_APPROVAL", LATER).await?;
    let analysis = stack.api.open(text(&waiting, "review_url")?).await?;
    ensure!(serde_json::from_slice::<serde_json::Value>(&analysis).is_ok(), "the analysis is no JSON");
    let listed = stack.api.get("/workflows?status=AWAITING_APPROVAL&limit=100").await?.expect(200)?;
    ensure!(listed.body.to_string().contains(&id), "the list does not show the workflow");

    let completed = approve(stack, &id, LATER).await?;
    check_completed(&completed)?;
    ensure!(text(&completed, "comment")? == "go on", "the reviewer's comment is lost");
    let report = String::from_utf8(stack.api.open(text(&completed, "report_url")?).await?)?;
    ensure!(report.starts_with('#') && report.contains(".rs"), "this is no report with citations:\n{report}");
    let decision = json!({ "approved": false });
    stack.api.call(Method::POST, &format!("/workflows/{id}/approval"), Some(decision)).await?.expect(409)?;
    stack.api.call(Method::DELETE, &format!("/workflows/{id}"), None).await?.expect(409)?;

    for sign in ["Approval needed", "approval_requested", "workflow_completed"] {
        world.observe(stack, &id, sign).await?;
    }
    Ok(())
}

pub(super) async fn rejection(world: &World, _: Options) -> Result<()> {
    let stack = &world.patient;
    let topic = topic("rejected");
    quick_findings(world, &topic);
    let mut writing = world.agents.script(&topic, Phase::Writing, Behaviour::Hold);
    let id = stack.api.start(&topic).await?;
    stack.api.wait_for(&id, "AWAITING_APPROVAL", SOON).await?;
    stack.api.decide(&id, false, "not convincing").await?;
    let rejected = stack.api.wait_for(&id, "REJECTED", SOON).await?;
    ensure!(text(&rejected, "comment")? == "not convincing", "the comment is lost");
    ensure!(rejected.get("report_url").is_none(), "there is a report");
    ensure!(writing.try_recv().is_err(), "the writer got a task");
    world.observe(stack, &id, "workflow_rejected").await
}

/// Reported, refused, answered with nonsense, useless: the workflow fails and says why, without secrets.
pub(super) async fn agent_failures(world: &World, _: Options) -> Result<()> {
    let stack = &world.patient;
    let error =
        json!({ "type": "NoSources", "message": "nothing found, password=hunter2 in /srv/agent/x.rs" });
    let cases = [
        ("reports", Phase::Research, Behaviour::Fail(error), "the researcher failed: nothing found"),
        ("refuses", Phase::Research, Behaviour::Refuse, "the researcher failed"),
        ("babbles", Phase::Research, Behaviour::Babble, "the researcher failed"),
        (
            "is useless",
            Phase::Analysis,
            Behaviour::Succeed(json!(null)),
            "the analyst failed: its result is unusable",
        ),
    ];
    let cases = cases.map(|(about, phase, behaviour, expected)| async move {
        let topic = topic(about);
        quick_findings(world, &topic);
        world.agents.script(&topic, phase, behaviour);
        let id = stack.api.start(&topic).await?;
        let failed = stack.api.wait_for(&id, "FAILED", LATER).await?;
        let error = text(&failed, "error")?;
        ensure!(error.starts_with(expected), "the agent {about}: {error}");
        ensure!(!error.contains("hunter2") && !error.contains("/srv"), "the error tells too much: {error}");
        world.observe(stack, &id, "workflow_failed").await
    });
    futures_util::future::try_join_all(cases).await?;
    Ok(())
}

/// The analyst never says anything.
pub(super) async fn agent_timeout_and_late_callback(world: &World, _: Options) -> Result<()> {
    let stack = &world.impatient;
    let topic = topic("silent");
    quick_findings(world, &topic);
    let mut tasks = world.agents.script(&topic, Phase::Analysis, Behaviour::Hold);
    let id = stack.api.start(&topic).await?;
    let task = next_task(&mut tasks, SOON).await?;
    let failed = stack.api.wait_for(&id, "FAILED", LATER).await?;
    let error = text(&failed, "error")?;
    ensure!(error.starts_with("the analyst did not answer in time"), "{error}");

    let late = Message::success(task.callback_token, json!({ "analysis": "late" }));
    let answer = world.callbacks.send(&stack.callback_url, &late).await?.expect(200)?;
    ensure!(answer.text("status") == "callback_expired", "{answer:?}");
    let after = stack.api.workflow(&id).await?;
    ensure!(after == failed, "a late callback changed the workflow: {after}");
    Ok(())
}

pub(super) async fn approval_timeout(world: &World, _: Options) -> Result<()> {
    let stack = &world.impatient;
    let topic = topic("undecided");
    quick_findings(world, &topic);
    let id = stack.api.start(&topic).await?;
    let failed = stack.api.wait_for(&id, "FAILED", LATER).await?;
    let error = text(&failed, "error")?;
    ensure!(error.starts_with("nobody approved or rejected"), "{error}");
    let decision = json!({ "approved": true });
    stack.api.call(Method::POST, &format!("/workflows/{id}/approval"), Some(decision)).await?.expect(409)?;
    Ok(())
}

/// What comes after is accepted and changes nothing.
pub(super) async fn cancellation(world: &World, _: Options) -> Result<()> {
    let stack = &world.patient;
    let topic = topic("cancelled");
    let (id, task) = held(world, stack, &topic).await?;
    let path = format!("/workflows/{id}");
    for _ in 0..2 {
        let cancelled = stack.api.call(Method::DELETE, &path, None).await?.expect(200)?;
        ensure!(cancelled.text("status") == "CANCELLED", "{cancelled:?}");
    }
    let late = Message::success(task.callback_token, json!({ "findings": ["late"] }));
    world.callbacks.send(&stack.callback_url, &late).await?.expect(200)?;
    // Time for a workflow that should not go on.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let view = stack.api.workflow(&id).await?;
    ensure!(text(&view, "status")? == "CANCELLED", "a late callback changed the workflow: {view}");
    world.observe(stack, &id, "workflow_cancelled").await
}
