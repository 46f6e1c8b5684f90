//! What the workflows need from the world, one trait for each actor.
//!
//! The choice of implementations is made once, at start-up; workflow code only ever sees [`Ports`]. Every
//! method that writes may be called again with the same arguments and then changes nothing: steps run at
//! least once.

mod agents;
mod artifacts;
mod callbacks;
mod dead_letters;
mod events;
mod executions;
mod metrics;
mod notify;
mod records;
mod webhooks;

use std::{sync::Arc, time::Duration};

pub use agents::{AgentTask, Agents, DispatchFailure};
pub use artifacts::{ArtifactRef, Artifacts, Fetched, content_type, is_plain_key};
pub use callbacks::{
    Callbacks, DeadLetter, Delivery, HistoryEntry, NewCallback, Outcome, Route, Stored, StoredCallback,
};
pub use dead_letters::{DeadLetterQueue, Kept, Unstored};
pub use durable_runtime::service::BoxFuture;
pub use events::{DomainEvent, Events};
pub use executions::{DeliveryFailure, Executions};
pub use metrics::{Metric, Metrics};
pub use notify::{Notification, Notify};
pub use records::{
    ApprovalRequest, AuditEntry, Change, CompletedStep, Cursor, KeyClaim, ListQuery, NewRecord, Page,
    Records, Report, WorkflowId, WorkflowRecord,
};
pub use webhooks::{HttpPost, Notice, Webhooks};

/// Payloads above this size never travel through checkpoints or records.
pub const INLINE_LIMIT: usize = 200 * 1024;

/// Every actor that the workflows know, and the settings that belong to none of them.
#[derive(Clone)]
pub struct Ports {
    /// Workflow records.
    pub records: Arc<dyn Records>,
    /// Callback results and their history.
    pub callbacks: Arc<dyn Callbacks>,
    /// Where callbacks wait that could not be stored. Without one their senders have to send them again.
    pub dead_letter_queue: Option<Arc<dyn DeadLetterQueue>>,
    /// Large payloads and reports.
    pub artifacts: Arc<dyn Artifacts>,
    /// Researcher, analyst, writer.
    pub agents: Arc<dyn Agents>,
    /// Where reviewers are told that there is something to review.
    pub notify: Arc<dyn Notify>,
    /// Domain events.
    pub events: Arc<dyn Events>,
    /// The durable execution service.
    pub executions: Arc<dyn Executions>,
    /// Who else wants to hear of callbacks; nobody by default.
    pub webhooks: Option<Arc<dyn Webhooks>>,
    /// Figures for dashboards and alarms.
    pub metrics: Arc<dyn Metrics>,
    /// Limits that a deployment may change.
    pub settings: Settings,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Limits that a deployment may change. A process that runs no research workflow needs none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where agents call back.
    pub callback_url: String,
    /// How long a reviewer has.
    pub approval_timeout: Duration,
    /// How long an agent may stay silent before it counts as lost; by default only its time limit counts.
    pub heartbeat_timeout: Option<Duration>,
}

/// Why a store did not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// What is stored forbids it.
    #[error("{0}")]
    Conflict(String),
    /// The store refuses to work for this process, or was asked for what it can't do: another attempt would meet the
    /// same. The detail is for logs only.
    #[error("{what} refused the request: {detail}")]
    Refused {
        /// Which store.
        what: &'static str,
        /// The cause, which may name resources.
        detail: String,
    },
    /// The store could not be used; the detail is for logs only.
    #[error("{what} is not available: {detail}")]
    Unavailable {
        /// Which store.
        what: &'static str,
        /// The cause, which may name files.
        detail: String,
    },
}

impl StoreError {
    /// The message without what only an operator should see.
    #[must_use]
    pub fn public_message(&self) -> String {
        match self {
            Self::NotFound(message) | Self::Conflict(message) => message.clone(),
            Self::Refused { what, .. } => format!("{what} refused the request"),
            Self::Unavailable { what, .. } => format!("{what} is not available"),
        }
    }

    /// True when another attempt may succeed.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
