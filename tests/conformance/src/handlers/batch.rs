//! What a batch says of itself, for the results of suites 8 and 9.

use durable_runtime::{Batch, CompletionReason, ItemStatus, prelude::Error};
use serde::{Deserialize, Serialize};

/// The batch as a whole.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    completion_reason: CompletionReason,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ItemStatus>,
    success_count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_count: Option<usize>,
    total_count: usize,
}

impl Summary {
    pub(super) fn of<T>(batch: &Batch<T, Error>) -> Self {
        Self {
            completion_reason: batch.completion_reason,
            status: Some(batch.status()),
            success_count: batch.count(ItemStatus::Succeeded),
            failure_count: Some(batch.count(ItemStatus::Failed)),
            total_count: batch.all.len(),
        }
    }

    pub(super) fn without_status(self) -> Self {
        Self { status: None, ..self }
    }

    pub(super) fn without_failures(self) -> Self {
        Self { failure_count: None, ..self }
    }
}

/// What a branch gives: a text, or an error.
#[derive(Clone, Copy, Debug)]
pub(super) enum Branch {
    Gives(&'static str),
    Fails,
}

impl Branch {
    pub(super) fn answer(self) -> Result<String, Error> {
        match self {
            Self::Gives(text) => Ok(text.to_owned()),
            Self::Fails => Err(Error::new("this branch fails")),
        }
    }
}
