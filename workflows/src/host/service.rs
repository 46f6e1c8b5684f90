//! What can be asked of a running process, by HTTP or from the command line.

use std::{fmt, sync::Arc};

use serde_json::json;

use super::view::{DecisionView, ExecutionView, ListView, Recorded, StartedView, WorkflowView};
use crate::{
    callback::{CallbackFault, Redriven, redrive, sha256},
    local::ArtifactDirectory,
    ports::{
        BoxFuture, Change, DeadLetter, DeliveryFailure, DomainEvent, KeyClaim, ListQuery, NewRecord, Ports,
        StoreError, WorkflowId, WorkflowRecord,
    },
    research::{Approval, Job, REPORT_LINK_VALIDITY, REVIEW_LINK_VALIDITY, ResearchInput, Status},
};

const LONGEST_COMMENT: usize = 10_000;

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// What is on record forbids it.
    #[error("{0}")]
    Conflict(String),
    /// The idempotency key stands for another request.
    #[error("Idempotency-Key: was used for a different request before")]
    KeyReused,
    /// Something this process needs does not work; the detail is for logs only.
    #[error("{what} is not available")]
    Unavailable {
        /// What.
        what: &'static str,
        /// Why.
        detail: String,
    },
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(message) => Self::NotFound(message),
            StoreError::Conflict(message) => Self::Conflict(message),
            StoreError::Refused { what, detail } | StoreError::Unavailable { what, detail } => {
                Self::Unavailable { what, detail }
            }
        }
    }
}

/// Who knows what the durable execution service recorded, for those who want to look inside.
pub trait Recorder: Send + Sync {
    /// What is recorded of a workflow's execution; nothing when it was never started.
    fn recorded(&self, id: WorkflowId) -> BoxFuture<'_, Result<Recorded, StoreError>>;
}

/// What can be asked about workflows, wherever they run. It knows the world through its ports.
pub struct Service {
    pub(super) ports: Ports,
    recorder: Arc<dyn Recorder>,
    files: Option<Arc<ArtifactDirectory>>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("ports", &self.ports).finish_non_exhaustive()
    }
}

impl Service {
    /// A service over these parts.
    #[must_use]
    pub fn new(ports: Ports, recorder: Arc<dyn Recorder>) -> Self {
        Self { ports, recorder, files: None }
    }

    /// Names the files of reports: where artifacts are files of this machine.
    #[must_use]
    pub fn with_files(mut self, files: Arc<ArtifactDirectory>) -> Self {
        self.files = Some(files);
        self
    }

    /// Starts a workflow; under an idempotency key, the same request starts it once.
    ///
    /// # Errors
    ///
    /// The key stands for another request, or a store is not available.
    pub async fn start(
        &self,
        input: ResearchInput,
        idempotency_key: Option<String>,
    ) -> Result<StartedView, ServiceError> {
        let record = NewRecord { id: WorkflowId::random(), input: input.clone() };
        let mut id = record.id.clone();
        match idempotency_key {
            None => self.ports.records.create(record).await?,
            Some(key) => {
                let digest = sha256(&serde_json::to_vec(&input).map_err(StoreError::from)?);
                match self.ports.records.create_once(record, key, digest).await? {
                    KeyClaim::New => {}
                    KeyClaim::Repeated(first) => id = first,
                    KeyClaim::Reused => return Err(ServiceError::KeyReused),
                }
            }
        }
        // The id is the execution's name: starting it twice, here or in `recover`, is starting it once.
        self.ports.executions.start(Job { workflow_id: id.clone(), input }).await?;
        let status = self.record(&id).await?.status;
        Ok(StartedView {
            message: format!("accepted; follow it at /workflows/{id}"),
            workflow_id: id,
            status,
        })
    }

    /// One workflow.
    ///
    /// # Errors
    ///
    /// There is none with this id, or a store is not available.
    pub async fn workflow(&self, id: &WorkflowId) -> Result<WorkflowView, ServiceError> {
        let record = self.record(id).await?;
        let record = self.reconciled(record).await?;
        self.view(record).await
    }

    /// Workflows, newest first.
    ///
    /// # Errors
    ///
    /// The cursor is not one, or the store is not available.
    pub async fn list(&self, query: ListQuery) -> Result<ListView, ServiceError> {
        let page = self.ports.records.list(query).await.map_err(|error| match error {
            StoreError::Conflict(message) => ServiceError::Invalid(message),
            other => other.into(),
        })?;
        let mut workflows = Vec::with_capacity(page.records.len());
        for record in page.records {
            workflows.push(self.view(record).await?);
        }
        Ok(ListView { workflows, next_cursor: page.next_cursor })
    }

    /// The newest workflow that has not ended, of a topic or of any.
    ///
    /// # Errors
    ///
    /// The store is not available.
    pub async fn unfinished(&self, topic: Option<&str>) -> Result<Option<WorkflowView>, ServiceError> {
        let mut query = ListQuery { limit: 100, ..ListQuery::default() };
        loop {
            let page = self.ports.records.list(query.clone()).await?;
            for record in page.records {
                if topic.is_none_or(|topic| topic == record.input.topic()) && !record.status.is_terminal() {
                    let record = self.reconciled(record).await?;
                    if !record.status.is_terminal() {
                        return Ok(Some(self.view(record).await?));
                    }
                }
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return Ok(None);
            }
        }
    }

    /// A workflow with what the engine recorded of its execution.
    ///
    /// # Errors
    ///
    /// There is none with this id, or a store is not available.
    pub async fn execution(&self, id: &WorkflowId) -> Result<ExecutionView, ServiceError> {
        let workflow = self.workflow(id).await?;
        let recorded = self.recorder.recorded(id.clone()).await?;
        let audit = self.ports.records.audit(id.clone()).await?;
        let callbacks = self.ports.callbacks.history(id.clone()).await?;
        Ok(ExecutionView {
            workflow,
            invocations: recorded.invocations,
            operations: recorded.operations,
            audit: audit.into_iter().map(Into::into).collect(),
            callbacks: callbacks.into_iter().map(Into::into).collect(),
        })
    }

    /// Takes the reviewer's decision.
    ///
    /// # Errors
    ///
    /// The workflow is unknown or does not wait for a decision, or the comment is too long.
    pub async fn decide(&self, id: &WorkflowId, approval: Approval) -> Result<DecisionView, ServiceError> {
        if approval.comment.as_ref().is_some_and(|comment| comment.chars().count() > LONGEST_COMMENT) {
            return Err(ServiceError::Invalid(format!(
                "comment: must have at most {LONGEST_COMMENT} characters"
            )));
        }
        let record = self.workflow_record(id).await?;
        let (Status::AwaitingApproval, Some(request)) = (record.status, record.approval) else {
            return Err(ServiceError::Conflict(format!(
                "workflow `{id}` is not waiting for an approval: it is {}",
                record.status
            )));
        };
        let decision = serde_json::to_string(&approval).map_err(StoreError::from)?;
        // The callback itself decides who was first; the record follows when the workflow runs on.
        match self.ports.executions.succeed(request.callback_id, decision).await {
            Ok(()) => {}
            Err(DeliveryFailure::Repeated | DeliveryFailure::Closed | DeliveryFailure::Unknown) => {
                return Err(ServiceError::Conflict(format!(
                    "workflow `{id}` is not waiting for an approval any more: it was decided, or time ran out"
                )));
            }
            Err(DeliveryFailure::Unavailable(detail)) => {
                return Err(ServiceError::Unavailable { what: "the durable execution service", detail });
            }
        }
        Ok(DecisionView {
            workflow_id: id.clone(),
            approved: approval.approved,
            message: if approval.approved {
                "approved: the workflow goes on".to_owned()
            } else {
                "rejected: the workflow ends without a report".to_owned()
            },
        })
    }

    /// Cancels a workflow. Cancelling a cancelled one again changes nothing.
    ///
    /// # Errors
    ///
    /// The workflow is unknown or ended otherwise.
    pub async fn cancel(&self, id: &WorkflowId) -> Result<WorkflowView, ServiceError> {
        // The record first: from then on no step of the workflow can change it, also one that runs right now.
        let record = self.workflow_record(id).await?;
        if record.status.is_terminal() && record.status != Status::Cancelled {
            return Err(ServiceError::Conflict(format!("workflow `{id}` is {} already", record.status)));
        }
        let record = self.ports.records.apply(Change::of(id, "api").to(Status::Cancelled)).await?;
        let event = DomainEvent {
            workflow_id: id.clone(),
            kind: "workflow_cancelled".to_owned(),
            detail: json!({ "topic": record.input.topic() }),
        };
        self.ports.events.emit(event).await?;
        self.ports.executions.stop(id.clone()).await?;
        self.view(record).await
    }

    /// The callbacks that could not be delivered, and those that could not even be stored; oldest first.
    ///
    /// # Errors
    ///
    /// The store or the queue is not available.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, ServiceError> {
        let mut letters = self.ports.callbacks.dead_letters().await?;
        if let Some(queue) = &self.ports.dead_letter_queue {
            letters.extend(queue.kept().await?.iter().map(|kept| kept.callback.letter()));
            letters.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
            // A queue may hand out the same one twice.
            letters.dedup_by(|a, b| a.id == b.id);
        }
        Ok(letters)
    }

    /// Tries to deliver them again.
    ///
    /// # Errors
    ///
    /// The store is not available.
    pub async fn redrive(&self) -> Result<Redriven, CallbackFault> {
        redrive(&self.ports).await
    }

    /// Picks up what an earlier process left between two stores: workflows that were accepted but not
    /// started, and records of executions that ended without closing them.
    ///
    /// # Errors
    ///
    /// A store is not available.
    pub async fn recover(&self) -> Result<(), ServiceError> {
        let mut query = ListQuery { limit: 100, ..ListQuery::default() };
        loop {
            let page = self.ports.records.list(query.clone()).await?;
            for record in page.records {
                match record.status {
                    Status::Initializing => {
                        let job = Job { workflow_id: record.id.clone(), input: record.input.clone() };
                        self.ports.executions.start(job).await?;
                        // It may have been started before, and ended before its first step did.
                        self.reconciled(record).await?;
                    }
                    Status::Cancelled => self.ports.executions.stop(record.id).await?,
                    status if status.is_terminal() => {}
                    _ => drop(self.reconciled(record).await?),
                }
            }
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return Ok(());
            }
        }
    }

    async fn record(&self, id: &WorkflowId) -> Result<WorkflowRecord, ServiceError> {
        let record = self.ports.records.get(id.clone()).await?;
        record.ok_or_else(|| ServiceError::NotFound(format!("no workflow has the id `{id}`")))
    }

    async fn workflow_record(&self, id: &WorkflowId) -> Result<WorkflowRecord, ServiceError> {
        let record = self.record(id).await?;
        self.reconciled(record).await
    }

    /// A workflow closes its record before its execution ends. An execution that ended in any other way, by a
    /// panic or a stop from outside, never will: this closes the record for it.
    pub(super) async fn reconciled(&self, record: WorkflowRecord) -> Result<WorkflowRecord, ServiceError> {
        if record.status.is_terminal() {
            return Ok(record);
        }
        let Some(reason) = self.ports.executions.ended(record.id.clone()).await? else { return Ok(record) };
        // Ended since the record was read? Then the newer record says how.
        let record = self.record(&record.id).await?;
        if record.status.is_terminal() {
            return Ok(record);
        }
        let mut failed = Change::of(&record.id, "recovery").to(Status::Failed);
        failed.error = Some(crate::error::sanitised(&reason));
        Ok(self.ports.records.apply(failed).await?)
    }

    /// What is shown of a record. Its links are made anew: those on record have ended when their time is over, or
    /// the credentials that signed them, which is hours after.
    async fn view(&self, mut record: WorkflowRecord) -> Result<WorkflowView, ServiceError> {
        let artifacts = &self.ports.artifacts;
        if let Some(report) = &mut record.report {
            report.url = artifacts.presign(report.artifact.clone(), REPORT_LINK_VALIDITY).await?;
        }
        if let Some(approval) = &mut record.approval
            && let Some(analysis) = &approval.analysis
        {
            approval.review_url = artifacts.presign(analysis.clone(), REVIEW_LINK_VALIDITY).await?;
        }
        let path = record.report.as_ref().and_then(|report| self.files.as_ref()?.path_of(&report.artifact));
        Ok(WorkflowView::of(record, path.map(|path| path.display().to_string())))
    }
}
