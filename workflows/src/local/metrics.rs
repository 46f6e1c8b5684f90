//! Figures as log lines, for whoever asks for debug output.

use crate::ports::{Metric, Metrics};

/// Logs each figure.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoggedMetrics;

impl Metrics for LoggedMetrics {
    fn publish(&self, request_id: &str, metrics: &[Metric]) {
        for metric in metrics {
            let name = metric.name();
            match metric {
                Metric::Latency(elapsed) => {
                    tracing::debug!(request_id, metric = name, milliseconds = elapsed.as_secs_f64() * 1e3);
                }
                _ => tracing::debug!(request_id, metric = name, count = 1),
            }
        }
    }
}
