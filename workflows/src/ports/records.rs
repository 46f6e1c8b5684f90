//! Workflow records: a DynamoDB table in the cloud, SQLite tables on one machine.

use std::fmt;

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ArtifactRef, BoxFuture, StoreError};
use crate::research::{ResearchInput, Status};

/// The identity of a workflow; also the name of its durable execution.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkflowId(String);

impl WorkflowId {
    /// A fresh, unguessable id.
    #[must_use]
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// An id that somebody named; whether it exists is for the records to say.
    pub fn named(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkflowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a record begins with.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// Its identity.
    pub id: WorkflowId,
    /// Topic and parameters.
    pub input: ResearchInput,
}

/// A finished step in a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedStep {
    /// Its recorded name.
    pub name: String,
    /// When it finished.
    pub completed_at: Timestamp,
    /// What came out, in a few words.
    pub summary: String,
}

/// What a reviewer is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRequest {
    /// The id of the callback `human_approval`.
    pub callback_id: String,
    /// Where the analysis can be read.
    pub review_url: String,
}

/// The finished report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Where it is stored.
    pub artifact: ArtifactRef,
    /// Where it can be read.
    pub url: String,
    /// Its length.
    pub words: usize,
}

/// A workflow as it is on record.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowRecord {
    /// Its identity.
    pub id: WorkflowId,
    /// Topic and parameters.
    pub input: ResearchInput,
    /// Where it stands.
    pub status: Status,
    /// The step that runs or is waited for; none once ended.
    pub current_step: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When the record last changed.
    pub updated_at: Timestamp,
    /// The steps that finished, in order.
    pub steps_completed: Vec<CompletedStep>,
    /// What the reviewer is or was asked.
    pub approval: Option<ApprovalRequest>,
    /// What the reviewer said.
    pub comment: Option<String>,
    /// The report.
    pub report: Option<Report>,
    /// Why it failed, fit to show.
    pub error: Option<String>,
}

impl WorkflowRecord {
    /// How far it is, from 0 to 100. Optional steps don't count.
    #[must_use]
    pub fn progress_percent(&self) -> u8 {
        if self.status == Status::Completed {
            return 100;
        }
        let done = self
            .steps_completed
            .iter()
            .filter(|step| crate::research::MANDATORY_STEPS.contains(&step.name.as_str()))
            .count();
        u8::try_from(done * 100 / crate::research::MANDATORY_STEPS.len()).unwrap_or(100)
    }
}

/// One atomic change of a record. It is refused as a whole when its status can't move to [`to`](Self::to).
#[derive(Clone, Debug)]
pub struct Change {
    /// Which record.
    pub id: WorkflowId,
    /// Who asks for it, for the audit trail: a step's name, `api`, `callback`.
    pub who: &'static str,
    /// The current step that the record must have, for a change that may come late.
    pub only_at: Option<&'static str>,
    /// The status to move to; `None` leaves it, but still refuses to change an ended workflow.
    pub to: Option<Status>,
    /// The step that runs next.
    pub current_step: Option<String>,
    /// Steps that finished; those that are on record already are skipped.
    pub completed: Vec<CompletedStep>,
    /// What the reviewer is asked.
    pub approval: Option<ApprovalRequest>,
    /// What the reviewer said.
    pub comment: Option<String>,
    /// The report.
    pub report: Option<Report>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Change {
    /// A change that changes nothing yet.
    #[must_use]
    pub fn of(id: &WorkflowId, who: &'static str) -> Self {
        Self {
            id: id.clone(),
            who,
            only_at: None,
            to: None,
            current_step: None,
            completed: Vec::new(),
            approval: None,
            comment: None,
            report: None,
            error: None,
        }
    }

    /// Refuses the change unless the record is at this step.
    #[must_use]
    pub fn only_at(mut self, step: &'static str) -> Self {
        self.only_at = Some(step);
        self
    }

    /// Moves the status.
    #[must_use]
    pub fn to(mut self, status: Status) -> Self {
        self.to = Some(status);
        self
    }

    /// Says what runs next.
    #[must_use]
    pub fn now_at(mut self, step: impl Into<String>) -> Self {
        self.current_step = Some(step.into());
        self
    }

    /// Adds a finished step.
    #[must_use]
    pub fn completing(mut self, name: impl Into<String>, summary: impl Into<String>) -> Self {
        self.completed.push(CompletedStep {
            name: name.into(),
            completed_at: std::time::SystemTime::now().into(),
            summary: summary.into(),
        });
        self
    }
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub who: String,
    /// From which status; none at the beginning.
    pub from: Option<Status>,
    /// To which one.
    pub to: Status,
}

/// Which records to list, newest first.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only these.
    pub status: Option<Status>,
    /// At most so many; 0 means a default of the store.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A page of records.
#[derive(Clone, Debug)]
pub struct Page {
    /// The records.
    pub records: Vec<WorkflowRecord>,
    /// Where the next page begins; none after the last.
    pub next_cursor: Option<String>,
}

/// What became of a claim to an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyClaim {
    /// The key was free and now stands for the workflow of the claim.
    New,
    /// The same request came before and made this workflow.
    Repeated(WorkflowId),
    /// The key was used for another request.
    Reused,
}

/// The store of workflow records.
pub trait Records: Send + Sync {
    /// Creates a record in status `INITIALIZING`. One that exists stays as it is.
    fn create(&self, record: NewRecord) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Creates a record under an idempotency key, both or neither. `digest` tells requests apart.
    fn create_once(
        &self,
        record: NewRecord,
        key: String,
        digest: String,
    ) -> BoxFuture<'_, Result<KeyClaim, StoreError>>;

    /// Makes one atomic change and appends a move of the status to the audit trail.
    ///
    /// # Errors
    ///
    /// `NotFound` without a record; `Conflict` when its status or its current step forbids the change.
    fn apply(&self, change: Change) -> BoxFuture<'_, Result<WorkflowRecord, StoreError>>;

    /// One record.
    fn get(&self, id: WorkflowId) -> BoxFuture<'_, Result<Option<WorkflowRecord>, StoreError>>;

    /// Records, newest first.
    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>>;

    /// Each move of a record's status, oldest first.
    fn audit(&self, id: WorkflowId) -> BoxFuture<'_, Result<Vec<AuditEntry>, StoreError>>;
}
