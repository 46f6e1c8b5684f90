//! Callback results, their history, and the dead letters.

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BoxFuture, StoreError, WorkflowId};
use crate::research::Phase;

/// Which workflow waits for a token, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The phase whose agent holds the token.
    pub phase: Phase,
}

/// How a callback ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Outcome {
    /// With a result, or a reference to one above the inline limit.
    Success {
        /// Any JSON value.
        result: Value,
    },
    /// With an error.
    Failure {
        /// The error's type, when the sender named one.
        error_type: Option<String>,
        /// What went wrong.
        message: String,
    },
}

impl Outcome {
    /// The status as callers write it.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Success { .. } => "SUCCESS",
            Self::Failure { .. } => "FAILURE",
        }
    }
}

/// A result that arrives.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCallback {
    /// The token.
    pub token: String,
    /// What it says.
    pub outcome: Outcome,
    /// Identifies what was sent, so that a repetition is told from a contradiction.
    pub digest: String,
    /// When the record may be dropped.
    pub expires_at: Timestamp,
}

/// How far a stored callback got on its way to the execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Stored only.
    Pending,
    /// The execution has it.
    Delivered,
    /// It came too late; the execution was not touched.
    Expired,
    /// No execution waits for it.
    Unknown,
    /// It could not be delivered and lies with the dead letters.
    DeadLettered,
}

/// What storing a callback found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "delivery", rename_all = "snake_case")]
pub enum Stored {
    /// It is the first for its token.
    New,
    /// The same came before and got this far.
    Repeated(Delivery),
    /// The token has another outcome, which stands.
    Contradicts,
}

/// A callback on record.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCallback {
    /// The token.
    pub token: String,
    /// What it says.
    pub outcome: Outcome,
    /// How far it got.
    pub delivery: Delivery,
}

/// One line of the callback history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// The request that it belongs to; one request has one line.
    pub request_id: String,
    /// The token, redacted.
    pub token: String,
    /// Whose callback, when known.
    pub workflow_id: Option<WorkflowId>,
    /// `SUCCESS`, `FAILURE` or `HEARTBEAT`.
    pub status: String,
    /// What became of it.
    pub answer: String,
    /// When.
    pub at: Timestamp,
}

/// A callback that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its identity: the request that failed.
    pub id: String,
    /// The token.
    #[serde(skip_serializing)]
    #[serde(default)]
    pub token: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// When it was delivered after all.
    pub redriven_at: Option<Timestamp>,
}

/// The store of callback results.
pub trait Callbacks: Send + Sync {
    /// Remembers who waits for a token.
    fn register(&self, token: String, route: Route) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Who waits for a token, if anybody does.
    fn route(&self, token: String) -> BoxFuture<'_, Result<Option<Route>, StoreError>>;

    /// Stores a result under its token, atomically: the first outcome stands.
    fn store(&self, callback: NewCallback) -> BoxFuture<'_, Result<Stored, StoreError>>;

    /// The result under a token.
    fn stored(&self, token: String) -> BoxFuture<'_, Result<Option<StoredCallback>, StoreError>>;

    /// Notes how far a stored result got.
    fn mark(&self, token: String, delivery: Delivery) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Appends to the history, once for each request.
    fn append_history(&self, entry: HistoryEntry) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The history of a workflow's callbacks, oldest first.
    fn history(&self, workflow_id: WorkflowId) -> BoxFuture<'_, Result<Vec<HistoryEntry>, StoreError>>;

    /// Puts a callback aside that can't be delivered.
    fn bury(&self, letter: DeadLetter) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The dead letters that were not redriven yet, oldest first.
    fn dead_letters(&self) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>>;

    /// Notes that a dead letter was delivered after all.
    fn redriven(&self, id: String) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Drops what its retention is over: results, dead letters that have nothing to deliver any more, and the
    /// tokens and the history of workflows that have ended. Says how many entries.
    fn purge_expired(&self, now: Timestamp) -> BoxFuture<'_, Result<usize, StoreError>>;
}
