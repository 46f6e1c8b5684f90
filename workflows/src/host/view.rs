//! What the API and `--json` show: one form for both, in both directions.

use durable_runtime::protocol::{OperationStatus, OperationType, Timestamp};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    ports::{AuditEntry, CompletedStep, HistoryEntry, WorkflowId, WorkflowRecord},
    research::{Parameters, ResearchInput, Status},
};

/// A workflow that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartedView {
    /// Its identity.
    pub workflow_id: WorkflowId,
    /// Where it stands.
    pub status: Status,
    /// What to do next.
    pub message: String,
}

/// A decision that was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionView {
    /// Whose.
    pub workflow_id: WorkflowId,
    /// What was decided.
    pub approved: bool,
    /// For a person.
    pub message: String,
}

/// A workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowView {
    /// Its identity.
    pub workflow_id: WorkflowId,
    /// What about.
    pub topic: String,
    /// How.
    pub parameters: serde_json::Value,
    /// Where it stands.
    pub status: Status,
    /// The step that runs or is waited for.
    pub current_step: Option<String>,
    /// 0 to 100.
    pub progress_percent: u8,
    /// When it was accepted.
    #[serde(serialize_with = "iso")]
    pub created_at: Timestamp,
    /// When it last changed.
    #[serde(serialize_with = "iso")]
    pub updated_at: Timestamp,
    /// The finished steps.
    pub steps_completed: Vec<StepView>,
    /// Where the analysis can be read, once a reviewer is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_url: Option<String>,
    /// What the reviewer said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where the report can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_url: Option<String>,
    /// The report's file, on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_path: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl WorkflowView {
    /// The public side of a record.
    #[must_use]
    pub fn of(record: WorkflowRecord, report_path: Option<String>) -> Self {
        Self {
            progress_percent: record.progress_percent(),
            workflow_id: record.id,
            topic: record.input.topic().to_owned(),
            parameters: serde_json::to_value(record.input.parameters()).unwrap_or_default(),
            status: record.status,
            current_step: record.current_step,
            created_at: record.created_at,
            updated_at: record.updated_at,
            steps_completed: record.steps_completed.into_iter().map(StepView::from).collect(),
            review_url: record.approval.map(|approval| approval.review_url),
            comment: record.comment,
            report_url: record.report.map(|report| report.url),
            report_path,
            error: record.error,
        }
    }

    /// The input again.
    #[must_use]
    pub fn input(&self) -> Option<ResearchInput> {
        let parameters = Parameters::try_from(self.parameters.clone()).ok()?;
        ResearchInput::new(&self.topic, parameters).ok()
    }
}

/// A finished step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Its recorded name.
    pub name: String,
    /// When it finished.
    #[serde(serialize_with = "iso")]
    pub completed_at: Timestamp,
    /// What came out.
    pub summary: String,
}

impl From<CompletedStep> for StepView {
    fn from(step: CompletedStep) -> Self {
        Self { name: step.name, completed_at: step.completed_at, summary: step.summary }
    }
}

/// A page of workflows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListView {
    /// Newest first.
    pub workflows: Vec<WorkflowView>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// A workflow with its durable execution, as the engine recorded it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecutionView {
    /// The workflow.
    pub workflow: WorkflowView,
    /// How often its code was invoked.
    pub invocations: usize,
    /// Its operations, in order.
    pub operations: Vec<OperationView>,
    /// Each move of its status.
    pub audit: Vec<AuditView>,
    /// The callbacks that arrived.
    pub callbacks: Vec<CallbackView>,
}

/// What the durable execution service recorded of an execution.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Its operations, in order.
    pub operations: Vec<OperationView>,
    /// How often its code was invoked, the running invocation included.
    pub invocations: usize,
}

/// One recorded operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationView {
    /// Its name, or its kind when it has none.
    pub name: String,
    /// Its kind.
    pub kind: OperationType,
    /// Where it stands.
    pub status: OperationStatus,
    /// How many contexts it lies in.
    pub depth: usize,
    /// How often it was tried; only steps have attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// When it began.
    #[serde(serialize_with = "iso")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(serialize_with = "iso_or_null")]
    pub ended_at: Option<Timestamp>,
    /// When it goes on by itself: a wait's end, a step's next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "iso_or_null")]
    pub due_at: Option<Timestamp>,
    /// Why it failed, or its last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A move of the status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditView {
    /// When.
    #[serde(serialize_with = "iso")]
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From which status.
    pub from: Option<Status>,
    /// To which one.
    pub to: Status,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self { at: entry.at, who: entry.who, from: entry.from, to: entry.to }
    }
}

/// A callback that arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallbackView {
    /// When.
    #[serde(serialize_with = "iso")]
    pub at: Timestamp,
    /// Its token, redacted.
    pub token: String,
    /// What it said.
    pub status: String,
    /// What became of it.
    pub answer: String,
}

impl From<HistoryEntry> for CallbackView {
    fn from(entry: HistoryEntry) -> Self {
        Self { at: entry.at, token: entry.token, status: entry.status, answer: entry.answer }
    }
}

fn iso<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(moment)
}

fn iso_or_null<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match moment {
        Some(moment) => serializer.collect_str(moment),
        None => serializer.serialize_none(),
    }
}
