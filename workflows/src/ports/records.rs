//! Workflow records: a DynamoDB table in the cloud, SQLite tables on one machine.

use std::fmt;

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ArtifactRef, BoxFuture, StoreError};
use crate::research::{ResearchInput, Status};

const DEFAULT_PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

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
    /// What that opens, so that a new link can be made when its time is over. Older records don't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<ArtifactRef>,
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
    /// The record with which a workflow begins, in status `INITIALIZING`.
    #[must_use]
    pub fn initial(new: NewRecord, now: Timestamp) -> Self {
        Self {
            id: new.id,
            input: new.input,
            status: Status::Initializing,
            current_step: None,
            created_at: now,
            updated_at: now,
            steps_completed: Vec::new(),
            approval: None,
            comment: None,
            report: None,
            error: None,
        }
    }

    /// The record after a change: the rules that every store follows.
    ///
    /// # Errors
    ///
    /// `Conflict` when the status or the current step forbids the change.
    pub fn changed(mut self, change: Change, now: Timestamp) -> Result<Self, StoreError> {
        let next = change.to.unwrap_or(self.status);
        if !self.status.may_become(next) || (change.to.is_none() && self.status.is_terminal()) {
            return Err(StoreError::Conflict(format!("workflow `{}` is {} already", self.id, self.status)));
        }
        if let Some(step) = change.only_at
            && self.current_step.as_deref() != Some(step)
        {
            return Err(StoreError::Conflict(format!("workflow `{}` is past `{step}`", self.id)));
        }
        self.status = next;
        self.updated_at = now;
        // An ended workflow has no current step, whatever the last step said.
        self.current_step = if next.is_terminal() { None } else { change.current_step.or(self.current_step) };
        for step in change.completed {
            if self.steps_completed.iter().all(|known| known.name != step.name) {
                self.steps_completed.push(step);
            }
        }
        self.approval = change.approval.or(self.approval);
        self.comment = change.comment.or(self.comment);
        self.report = change.report.or(self.report);
        self.error = change.error.or(self.error);
        Ok(self)
    }

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

impl ListQuery {
    /// How many records the page may have.
    #[must_use]
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { DEFAULT_PAGE } else { self.limit.min(LARGEST_PAGE) }
    }

    /// Where the page begins: after this record.
    ///
    /// # Errors
    ///
    /// `Conflict` when the cursor is none that a page ended with.
    pub fn after(&self) -> Result<Option<Cursor>, StoreError> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let parsed = text.split_once('~').and_then(|(at, id)| {
            Some(Cursor { created_at: Timestamp::from_millis(at.parse().ok()?), id: WorkflowId::named(id) })
        });
        parsed
            .map(Some)
            .ok_or_else(|| StoreError::Conflict("cursor: expected the `next_cursor` of a page".to_owned()))
    }
}

/// A place in the list of records, which is ordered by time and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the record there was made.
    pub created_at: Timestamp,
    /// Which record it is.
    pub id: WorkflowId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.created_at.as_millis(), self.id)
    }
}

/// A page of records.
#[derive(Clone, Debug)]
pub struct Page {
    /// The records.
    pub records: Vec<WorkflowRecord>,
    /// Where the next page begins; none after the last.
    pub next_cursor: Option<String>,
}

impl Page {
    /// The page of the first `size` of `records`, which are in order and one more if there are more.
    #[must_use]
    pub fn of(mut records: Vec<WorkflowRecord>, size: usize) -> Self {
        let has_more = records.len() > size;
        records.truncate(size);
        let last = records.last().filter(|_| has_more);
        let next_cursor =
            last.map(|last| Cursor { created_at: last.created_at, id: last.id.clone() }.to_string());
        Self { records, next_cursor }
    }
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
