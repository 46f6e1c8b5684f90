//! Why a callback could not be taken.

use durable_runtime::prelude::*;
use serde::{Deserialize, Serialize};

use crate::ports::{Metric, Ports, StoreError};

/// Why a callback could not be taken, for good.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CallbackFault {
    /// It is not stored: it waits in the dead-letter queue, unless that takes nothing either.
    #[error("Failed to store callback result")]
    Storage {
        /// True when another attempt may succeed.
        retryable: bool,
    },
    /// It lies with the dead letters.
    #[error("Failed to deliver callback")]
    Delivery {
        /// True when another attempt may succeed.
        retryable: bool,
    },
}

impl CallbackFault {
    /// True when another attempt may succeed; the retry policies of the steps ask this.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Storage { retryable } | Self::Delivery { retryable } => *retryable,
        }
    }
}

impl CallbackFault {
    /// What a store's error means for a request; it is logged and counted, whether or not a later attempt succeeds.
    pub(crate) fn storage(ports: &Ports, request_id: &str, error: &StoreError) -> Self {
        tracing::warn!(event_type = "storage_error", request_id, %error);
        ports.metrics.publish(request_id, &[Metric::StorageFailure]);
        Self::Storage { retryable: error.is_transient() }
    }

    /// The name of its event in the log.
    pub(crate) const fn event_type(&self) -> &'static str {
        match self {
            Self::Storage { .. } => "storage_error",
            Self::Delivery { .. } => "delivery_error",
        }
    }
}

impl From<Interrupted> for CallbackFault {
    fn from(_: Interrupted) -> Self {
        Self::Delivery { retryable: true }
    }
}
