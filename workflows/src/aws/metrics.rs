//! Figures in CloudWatch's embedded metric format: one line of JSON on the standard output for each request.

use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use durable_runtime::protocol::Timestamp;
use serde_json::{Map, Value, json};

use crate::ports::{Metric, Metrics};

/// The namespace of all figures.
pub const NAMESPACE: &str = "ResearchWorkflows";
/// The only dimension: which function the figures are of.
const DIMENSION: &str = "Service";

/// Writes figures where CloudWatch finds them.
pub struct EmbeddedMetrics {
    service: String,
    output: Mutex<Box<dyn Write + Send>>,
}

impl fmt::Debug for EmbeddedMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedMetrics").field("service", &self.service).finish_non_exhaustive()
    }
}

impl EmbeddedMetrics {
    /// Figures of the function that this process is, on the standard output.
    #[must_use]
    pub fn stdout() -> Self {
        let service = std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok().filter(|name| !name.is_empty());
        Self::new(service.unwrap_or_else(|| "local".to_owned()), io::stdout())
    }

    /// Figures of `service`, written to `output`.
    pub fn new(service: impl Into<String>, output: impl Write + Send + 'static) -> Self {
        Self { service: service.into(), output: Mutex::new(Box::new(output)) }
    }
}

impl Metrics for EmbeddedMetrics {
    fn publish(&self, request_id: &str, metrics: &[Metric]) {
        if metrics.is_empty() {
            return;
        }
        let mut line = line(&self.service, SystemTime::now().into(), request_id, metrics).to_string();
        line.push('\n');
        // One write for one line, so that lines of others don't come in between. A figure that can't be written is
        // lost: no request may fail for it.
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = output.write_all(line.as_bytes()).and_then(|()| output.flush());
    }
}

fn line(service: &str, now: Timestamp, request_id: &str, metrics: &[Metric]) -> Value {
    let mut values = Map::new();
    let mut definitions = Vec::new();
    for metric in metrics {
        let (value, unit) = match metric {
            Metric::Latency(elapsed) => (json!(milliseconds(*elapsed)), "Milliseconds"),
            _ => {
                let before = values.get(metric.name()).and_then(Value::as_u64).unwrap_or(0);
                (json!(before + 1), "Count")
            }
        };
        if values.insert(metric.name().to_owned(), value).is_none() {
            definitions.push(json!({ "Name": metric.name(), "Unit": unit }));
        }
    }
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now.as_millis(),
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [[DIMENSION]],
                "Metrics": definitions,
            }],
        }),
    );
    line.insert(DIMENSION.to_owned(), json!(service));
    line.insert("request_id".to_owned(), json!(request_id));
    line.append(&mut values);
    Value::Object(line)
}

/// To a microsecond, which is more than anybody can use.
fn milliseconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_figure_is_declared_and_has_its_value_at_the_top() {
        let output = Shared::default();
        let metrics = EmbeddedMetrics::new("callback", output.clone());
        let latency = Metric::Latency(Duration::from_micros(1_500));
        let published =
            [Metric::Received, Metric::StorageFailure, Metric::StorageFailure, Metric::Delivered, latency];
        metrics.publish("r-1", &published);
        metrics.publish("r-2", &[]);
        let written = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 1, "one line for each request, none for nothing");
        let line: Value = serde_json::from_str(&written).unwrap();
        let declared = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(declared["Namespace"], NAMESPACE);
        assert_eq!(declared["Dimensions"], json!([["Service"]]));
        assert_eq!(line["Service"], "callback");
        assert!(line["_aws"]["Timestamp"].as_i64().is_some());
        let names: Vec<_> =
            declared["Metrics"].as_array().unwrap().iter().map(|it| it["Name"].as_str().unwrap()).collect();
        assert_eq!(names, ["CallbacksReceived", "StorageFailures", "CallbacksDelivered", "CallbackLatency"]);
        assert_eq!(
            (&line["CallbacksReceived"], &line["StorageFailures"], &line["CallbackLatency"]),
            (&json!(1), &json!(2), &json!(1.5))
        );
    }
}
