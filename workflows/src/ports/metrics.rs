//! Figures for dashboards and alarms: CloudWatch in the cloud, log lines on one machine.

use std::time::Duration;

/// What is counted or measured of callbacks. Alarms and dashboards refer to these by [`name`](Self::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A request arrived.
    Received,
    /// An execution got its callback.
    Delivered,
    /// A request was answered with 4xx.
    ClientError,
    /// A request was answered with 5xx.
    ServerError,
    /// A store did not do what was asked, also when a later attempt succeeded.
    StorageFailure,
    /// How long a request took, from its arrival to its answer.
    Latency(Duration),
}

impl Metric {
    /// The name under which it is published.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "CallbacksReceived",
            Self::Delivered => "CallbacksDelivered",
            Self::ClientError => "ClientErrors",
            Self::ServerError => "ServerErrors",
            Self::StorageFailure => "StorageFailures",
            Self::Latency(_) => "CallbackLatency",
        }
    }
}

/// Where figures go. Publishing them never fails and never waits for anything but the process's own output.
pub trait Metrics: Send + Sync {
    /// Publishes `metrics` of the request `request_id`: counts add one each.
    fn publish(&self, request_id: &str, metrics: &[Metric]);
}
