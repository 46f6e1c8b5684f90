//! Where callbacks wait that could not even be stored: a place that does not fail with the store.

use std::fmt;

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::{BoxFuture, DeadLetter, Outcome, StoreError};

/// A callback that the store did not take, with all that it takes to try again.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Unstored {
    /// The request that failed.
    pub id: String,
    /// The token.
    pub token: String,
    /// What it says, in full.
    pub outcome: Outcome,
    /// Identifies the outcome as it was sent.
    pub digest: String,
    /// Why it was not stored.
    pub reason: String,
    /// When it arrived.
    pub at: Timestamp,
}

impl fmt::Debug for Unstored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unstored")
            .field("id", &self.id)
            .field("token", &crate::callback::redacted(&self.token))
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl Unstored {
    /// What operators are shown of it.
    #[must_use]
    pub fn letter(&self) -> DeadLetter {
        DeadLetter {
            id: self.id.clone(),
            token: self.token.clone(),
            reason: self.reason.clone(),
            at: self.at,
            redriven_at: None,
        }
    }
}

/// A callback in the queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The callback.
    pub callback: Unstored,
    /// What the queue wants to be told to let go of it.
    pub receipt: String,
}

/// The queue. It may hand out the same callback more than once, and keeps none that the store has.
pub trait DeadLetterQueue: Send + Sync {
    /// Keeps a callback.
    fn keep(&self, callback: Unstored) -> BoxFuture<'_, Result<(), StoreError>>;

    /// What it keeps, oldest first. Looking takes nothing away.
    fn kept(&self) -> BoxFuture<'_, Result<Vec<Kept>, StoreError>>;

    /// Lets go of a callback, by its receipt.
    fn release(&self, receipt: String) -> BoxFuture<'_, Result<(), StoreError>>;
}
