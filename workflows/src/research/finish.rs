//! The three ways in which a workflow ends.

use std::time::Duration;

use durable_runtime::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Approval, Job, Phase, PhaseResult, Status};
use crate::{
    error::{WorkflowError, sanitised},
    ports::{Change, DomainEvent, Ports, Report, StoreError, WorkflowId},
    retry,
};

/// How long the link to a report is good for.
pub const REPORT_LINK_VALIDITY: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a workflow that did not fail leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Which workflow.
    pub workflow_id: WorkflowId,
    /// `COMPLETED` or `REJECTED`.
    pub status: Status,
    /// The report, when there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<Report>,
    /// The reviewer's comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// Stores the report and closes the record.
#[durable_step(retry = retry::STORES, timeout = "2m")]
pub(super) async fn finalize_workflow(
    ports: &Ports,
    job: &Job,
    writing: PhaseResult,
) -> Result<Delivery, WorkflowError> {
    let id = &job.workflow_id;
    let begun = Change::of(id, "finalize_workflow")
        .to(Status::Running)
        .now_at("finalize_workflow")
        .completing(Phase::Writing.await_name(), Phase::Writing.answered());
    match ports.records.apply(begun).await {
        // Closed by an attempt that was cut off right after, or from outside: the last change below decides.
        Ok(_) | Err(StoreError::Conflict(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let unavailable = |error: StoreError| WorkflowError::artifact(&error);
    let value = match writing {
        PhaseResult::Inline(value) => value,
        PhaseResult::Reference(reference) => {
            let fetched = ports.artifacts.get(reference).await.map_err(unavailable)?;
            serde_json::from_slice(&fetched.bytes)
                .map_err(|error| WorkflowError::agent(Phase::Writing, &error.to_string()))?
        }
    };
    let text = report_text(&value)
        .ok_or_else(|| WorkflowError::agent(Phase::Writing, "its result holds no report"))?;
    let words = text.split_whitespace().count();
    let artifact = ports
        .artifacts
        .put(format!("{id}/report.md"), text.as_bytes().to_vec())
        .await
        .map_err(unavailable)?;
    let url = ports.artifacts.presign(artifact.clone(), REPORT_LINK_VALIDITY).await.map_err(unavailable)?;
    let report = Report { artifact, url, words };

    emit(ports, id, "workflow_completed", json!({ "report": report })).await?;
    let mut completed = Change::of(id, "finalize_workflow")
        .to(Status::Completed)
        .completing("finalize_workflow", format!("a report of {words} words"));
    completed.report = Some(report.clone());
    let record = ports.records.apply(completed).await?;
    Ok(Delivery {
        workflow_id: id.clone(),
        status: Status::Completed,
        report: Some(report),
        comment: record.comment,
    })
}

/// Closes the record of a workflow that the reviewer stopped.
#[durable_step(retry = retry::STORES, timeout = "2m")]
pub(super) async fn reject_workflow(
    ports: &Ports,
    job: &Job,
    decision: Approval,
) -> Result<Delivery, WorkflowError> {
    let id = &job.workflow_id;
    emit(ports, id, "workflow_rejected", json!({ "comment": decision.comment })).await?;
    let mut rejected = Change::of(id, "reject_workflow")
        .to(Status::Rejected)
        .completing("human_approval", "rejected")
        .completing("reject_workflow", "closed without a report");
    rejected.comment.clone_from(&decision.comment);
    ports.records.apply(rejected).await?;
    Ok(Delivery {
        workflow_id: id.clone(),
        status: Status::Rejected,
        report: None,
        comment: decision.comment,
    })
}

/// Closes the record of a workflow that failed. One that ended otherwise, by a cancellation, stays as it is.
#[durable_step(retry = retry::STORES, timeout = "2m")]
pub(super) async fn fail_workflow(
    ports: &Ports,
    job: &Job,
    error: &WorkflowError,
) -> Result<(), WorkflowError> {
    let id = &job.workflow_id;
    let message = sanitised(&error.to_string());
    let mut failed = Change::of(id, "fail_workflow").to(Status::Failed);
    failed.error = Some(message.clone());
    match ports.records.apply(failed).await {
        Ok(_) => emit(ports, id, "workflow_failed", json!({ "kind": error.kind(), "error": message })).await,
        Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn emit(ports: &Ports, id: &WorkflowId, kind: &str, detail: Value) -> Result<(), WorkflowError> {
    let event = DomainEvent { workflow_id: id.clone(), kind: kind.to_owned(), detail };
    ports.events.emit(event).await?;
    Ok(())
}

/// The report in a writer's result: the text itself, or its field `report`.
#[must_use]
pub fn report_text(result: &Value) -> Option<&str> {
    match result {
        Value::String(text) => Some(text),
        other => other.get("report").and_then(Value::as_str),
    }
}
