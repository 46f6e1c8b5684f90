//! Removes executions some time after their end, and what was logged of executions that are gone.

use std::{
    collections::BTreeMap,
    sync::Weak,
    time::{Duration, SystemTime},
};

use durable_engine::EngineError;
use durable_runtime::protocol::Timestamp;

use super::Service;
use crate::config::Retention;

/// The time between two rounds.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60 * 60);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// How long the executions of each function are kept. Those of functions that are not in the table are left alone.
#[derive(Debug, Default)]
pub(super) struct Retentions {
    by_function: BTreeMap<String, Duration>,
    of_functions_in_days: BTreeMap<String, u64>,
}

impl Retentions {
    pub(super) fn set(&mut self, function: String, retention: Retention) {
        if let Some(days) = retention.in_days() {
            self.of_functions_in_days.insert(function.clone(), days);
        }
        if let Retention::For(time) = retention {
            self.by_function.insert(function, time);
        }
    }

    pub(super) fn in_days(&self, function: &str) -> Option<u64> {
        self.of_functions_in_days.get(function).copied()
    }

    fn shortest(&self) -> Option<Duration> {
        self.by_function.values().min().copied()
    }
}

/// Removes what is over, as long as the server runs.
pub(super) async fn keep_tidy(service: Weak<Service>) {
    loop {
        let interval = {
            let Some(service) = service.upgrade() else { return };
            let Some(shortest) = service.retentions.shortest() else { return };
            if let Err(error) = service.remove_old(shortest).await {
                tracing::warn!(%error, "executions that ended long ago could not be removed; it is tried again");
            }
            (shortest / 10).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
        };
        tokio::time::sleep(interval).await;
    }
}

impl Service {
    async fn remove_old(&self, shortest: Duration) -> Result<(), EngineError> {
        let now = SystemTime::now().into();
        for (function, retention) in &self.retentions.by_function {
            let removed = self.engine.purge_ended(Some(function), before(now, *retention)).await?;
            if removed > 0 {
                tracing::info!(
                    function,
                    removed,
                    "executions were removed that ended {retention:?} ago or longer"
                );
            }
        }
        // Whoever removed an execution, and for what reason.
        for id in self.logs.untouched_since(before(now, shortest)).await {
            if let Err(EngineError::NotFound { .. }) = self.engine.get(&id).await {
                self.logs.remove(&id);
            }
        }
        Ok(())
    }
}

fn before(now: Timestamp, time: Duration) -> Timestamp {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().saturating_sub(millis))
}
