//! Removes what its time is over, for as long as a process runs.

use std::{sync::Arc, time::Duration, time::SystemTime};

use durable_runtime::protocol::Timestamp;

use super::{Service, ServiceError};

const INTERVAL: Duration = Duration::from_secs(60 * 60);

impl Service {
    /// Removes callback results, and what was kept of callbacks of workflows that ended, once their retention
    /// is over.
    ///
    /// # Errors
    ///
    /// The store is not available.
    pub async fn purge(&self) -> Result<(), ServiceError> {
        let removed = self.ports.callbacks.purge_expired(Timestamp::from(SystemTime::now())).await?;
        if removed > 0 {
            tracing::info!(event_type = "callbacks_purged", removed);
        }
        Ok(())
    }
}

/// Purges once an hour. The first time is an hour from now: a start purges by itself.
pub(super) async fn keep_house(service: Arc<Service>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        if let Err(error) = service.purge().await {
            // Nothing is lost by trying again in an hour.
            tracing::warn!(%error, "expired callbacks could not be removed");
        }
    }
}
