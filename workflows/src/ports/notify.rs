//! How a reviewer learns of work: an SNS topic in the cloud, a log line and an optional webhook here.

use serde::{Deserialize, Serialize};

use super::{BoxFuture, WorkflowId};

/// A message for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// Which workflow.
    pub workflow_id: WorkflowId,
    /// One line.
    pub subject: String,
    /// What to do.
    pub message: String,
    /// Where to look.
    pub review_url: String,
}

/// The channel.
pub trait Notify: Send + Sync {
    /// Sends a notification.
    ///
    /// # Errors
    ///
    /// The channel refused it; the message names no secrets.
    fn send(&self, notification: Notification) -> BoxFuture<'_, Result<(), String>>;
}
