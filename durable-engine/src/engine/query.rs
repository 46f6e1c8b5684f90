//! Looking at executions. Reads see what is durable and touch nothing.

use durable_runtime::protocol::{ErrorObject, Operation, Payload, Timestamp};

use super::{Engine, EngineError, start::key_of_reference};
use crate::{
    service::{Event, Execution, ExecutionKey, ExecutionRecord, ExecutionStatus, Pause},
    store::{HistoryQuery, ListQuery, StoredRecord},
};

/// Executions or events in a page when the caller does not say.
const DEFAULT_PAGE: usize = 100;

/// An execution as a whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExecutionSummary {
    /// Its ARN.
    pub arn: String,
    /// Its id, the last segment of the ARN.
    pub id: String,
    /// The function it runs.
    pub function: String,
    /// Its name.
    pub name: String,
    /// The tenant it runs for.
    pub tenant: Option<String>,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Seconds that it may take, without the time that it was paused.
    pub timeout_seconds: u64,
    /// When it runs out of time; absent when it has ended. While a pause holds the time limit, that is 366 days after
    /// its start, which no pause extends.
    pub times_out_at: Option<Timestamp>,
    /// The pause that is not over.
    pub pause: Option<Pause>,
    /// The X-Ray header that it was started with, or was given by the execution that started it.
    pub trace_header: Option<String>,
    /// True while an invocation runs, or ran when the process died.
    pub is_invoking: bool,
    /// When it goes on by itself; absent while it runs, and when it has ended. The time limit of the execution
    /// itself is such a moment.
    pub next_due: Option<Timestamp>,
    /// What it was given; absent in lists.
    pub input: Option<Payload>,
    /// What it returned.
    pub result: Option<Payload>,
    /// How it failed.
    pub error: Option<ErrorObject>,
}

impl ExecutionSummary {
    fn new(record: ExecutionRecord, input: Option<Payload>) -> Self {
        let is_invoking = record.invocation.is_some();
        Self {
            arn: record.arn(),
            id: record.id.to_string(),
            function: record.function.to_string(),
            name: record.name.to_string(),
            tenant: record.tenant.as_deref().map(str::to_owned),
            status: record.status,
            started_at: record.started_at,
            ended_at: record.ended_at,
            timeout_seconds: record.timeout_seconds,
            times_out_at: (!record.status.is_terminal()).then(|| record.deadline()),
            pause: record.pauses.current,
            trace_header: record.trace_header.as_deref().map(str::to_owned),
            is_invoking,
            next_due: record.due_at.filter(|_| !is_invoking && !record.status.is_terminal()),
            input,
            result: record.result,
            error: record.error,
        }
    }
}

/// Which executions to list. The default: all, newest first, 100 in a page.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Only those of this function.
    pub function: Option<String>,
    /// Only those with this name.
    pub name: Option<String>,
    /// Only those with one of these statuses; empty for all.
    pub statuses: Vec<ExecutionStatus>,
    /// Only those started at this moment or later.
    pub started_after: Option<Timestamp>,
    /// Only those started at this moment or before.
    pub started_before: Option<Timestamp>,
    /// Oldest first instead of newest first.
    pub oldest_first: bool,
    /// The [`ExecutionList::next`] of the page before.
    pub marker: Option<String>,
    /// Executions in a page; 0 for 100.
    pub limit: usize,
}

/// A page of executions.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExecutionList {
    /// The executions.
    pub executions: Vec<ExecutionSummary>,
    /// The marker of the next page; `None` on the last one.
    pub next: Option<String>,
}

/// Which events to read. The default: from the first one on, 100 in a page.
#[derive(Clone, Debug, Default)]
pub struct HistoryPage {
    /// The [`History::next`] of the page before.
    pub marker: Option<String>,
    /// Events in a page; 0 for 100.
    pub limit: usize,
    /// Newest first.
    pub newest_first: bool,
}

impl HistoryPage {
    /// Everything in one page.
    #[must_use]
    pub fn all() -> Self {
        Self { limit: usize::MAX, ..Self::default() }
    }
}

/// A page of events.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct History {
    /// The events.
    pub events: Vec<Event>,
    /// The marker of the next page; `None` on the last one.
    pub next: Option<String>,
}

impl Engine {
    /// An execution by ARN, by id, or by name when only one function has an execution of that name.
    ///
    /// # Errors
    ///
    /// There is none, there are several, or the store failed.
    pub async fn get(&self, execution: &str) -> Result<ExecutionSummary, EngineError> {
        let found = self.find(execution).await?;
        Ok(ExecutionSummary::new(found.record, found.input))
    }

    /// Executions, a page at a time.
    ///
    /// # Errors
    ///
    /// The store failed. A marker that is none of ours begins at the first page.
    pub async fn list(&self, filter: ListFilter) -> Result<ExecutionList, EngineError> {
        let limit = page_size(filter.limit);
        let beyond = filter.marker.and_then(|marker| marker.parse().ok()).map(ExecutionKey::new);
        let query = ListQuery {
            function: filter.function,
            name: filter.name,
            statuses: filter.statuses,
            started_after: filter.started_after,
            started_before: filter.started_before,
            oldest_first: filter.oldest_first,
            beyond,
            limit: limit.saturating_add(1),
        };
        let mut records = self.core.store.list(query).await?;
        let has_more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| has_more).map(|last| last.key.get().to_string());
        let executions = records.into_iter().map(|record| ExecutionSummary::new(record, None)).collect();
        Ok(ExecutionList { executions, next })
    }

    /// The events of an execution, a page at a time.
    ///
    /// # Errors
    ///
    /// There is no such execution, or the store failed. A marker that is none of ours begins at the first page.
    pub async fn history(&self, execution: &str, page: HistoryPage) -> Result<History, EngineError> {
        let found = self.find(execution).await?;
        let limit = page_size(page.limit);
        let first = if page.newest_first { u64::MAX } else { 1 };
        let query = HistoryQuery {
            from: page.marker.and_then(|marker| marker.parse().ok()).unwrap_or(first),
            backwards: page.newest_first,
            limit: limit.saturating_add(1),
        };
        let mut events = self.core.store.history(found.record.key, query).await?;
        let beyond = events.get(limit).map(|event| event.event_id);
        events.truncate(limit);
        let last = events.last().map(|event| event.event_id);
        let next = if page.newest_first { beyond.and(last) } else { beyond };
        Ok(History { events, next: next.map(|marker| marker.to_string()) })
    }

    /// All operations of an execution, in order of creation, the execution itself first.
    ///
    /// # Errors
    ///
    /// There is no such execution, or the store failed.
    pub async fn operations(&self, execution: &str) -> Result<Vec<Operation>, EngineError> {
        let found = self.find(execution).await?;
        Ok(self.core.store.operations(found.record.key).await?)
    }

    /// Waits until an execution has ended, however long that takes.
    ///
    /// # Errors
    ///
    /// There is no such execution, the store failed, or the engine was shut down first.
    pub async fn wait_for_end(&self, execution: &str) -> Result<ExecutionSummary, EngineError> {
        let key = match self.core.live_key(execution) {
            Some(key) => key,
            None => self.find(execution).await?.record.key,
        };
        let waiter = self.core.watchers.wait_for_end(key);
        let mut is_first = true;
        loop {
            let notified = waiter.notified();
            tokio::pin!(notified);
            // From here on an end is not missed, so whether it was before is asked afterwards.
            notified.as_mut().enable();
            let has_ended = |execution: &Execution| execution.record().status.is_terminal();
            if self.core.peek_before_waiting(&mut is_first, key, has_ended) != Some(false) {
                let reference = || EngineError::NotFound { reference: execution.to_owned() };
                let found = self.core.store.record(key).await?.ok_or_else(reference)?;
                if found.record.status.is_terminal() {
                    return Ok(ExecutionSummary::new(found.record, found.input));
                }
            }
            notified.await;
        }
    }

    pub(super) async fn find(&self, reference: &str) -> Result<StoredRecord, EngineError> {
        let not_found = || EngineError::NotFound { reference: reference.to_owned() };
        if let Some(key) = key_of_reference(reference)
            && let Some(stored) = self.core.store.record(key).await?
            && (*stored.record.id == *reference || stored.record.arn() == reference)
        {
            return Ok(stored);
        }
        let mut named = Vec::new();
        for key in self.core.store.find(reference.to_owned()).await? {
            named.extend(self.core.store.record(key).await?);
        }
        match named.len() {
            0 => Err(not_found()),
            1 => named.pop().ok_or_else(not_found),
            _ => Err(EngineError::AmbiguousName {
                name: reference.to_owned(),
                arns: named.iter().map(|stored| stored.record.arn()).collect(),
            }),
        }
    }
}

const fn page_size(asked: usize) -> usize {
    if asked == 0 { DEFAULT_PAGE } else { asked }
}
