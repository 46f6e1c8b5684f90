//! When spans are exported that the exporter collects. In real time, since the exporter has a thread of its own.

use std::sync::{Arc, Mutex};

use durable_engine::Engine;
use durable_runtime::{
    environment::{Environment, Options},
    otel::OtelPlugin,
    prelude::*,
};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};

use crate::{
    collect::Collected,
    host::{Answered, Hosted},
};

/// Needs the runtime that the execution runs on, as an exporter over tokio's network does.
#[derive(Debug)]
struct OnRuntime(Collected, tokio::runtime::Handle);

impl SpanExporter for OnRuntime {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.1.spawn(async {}).await.unwrap();
        self.0.export(batch).await
    }
}

#[durable_execution]
async fn pausing() -> Result<(), Error> {
    wait("1s").await;
    Ok(())
}

/// How many spans were exported when each of the two invocations of [`pausing`] answered.
async fn exported_at_answers(flush: bool) -> Vec<usize> {
    let collected = Collected::default();
    let exporter = OnRuntime(collected.clone(), tokio::runtime::Handle::current());
    let plugin = OtelPlugin::new(SdkTracerProvider::builder().with_batch_exporter(exporter));
    let options = Options::default().plugin(plugin.flush_each_invocation(flush));
    let counts = Arc::new(Mutex::new(Vec::new()));
    let counted = Arc::clone(&counts);
    let host = move |mut environment: Environment| {
        environment.options = options.clone();
        let (collected, counted) = (collected.clone(), Arc::clone(&counted));
        let count = move || counted.lock().unwrap().push(collected.spans().len());
        (environment, Box::new(count) as Answered)
    };
    let hosted = Arc::new(Hosted::new(durable_runtime::workflow(pausing), Arc::new(host)));
    let engine = Engine::builder().workflow(hosted).open().unwrap();
    engine.start(pausing, ()).await.unwrap().result().await.unwrap();
    // The answer is given a moment after the end is known.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    while counts.lock().unwrap().len() < 2 {
        assert!(tokio::time::Instant::now() < deadline, "both invocations answer");
        tokio::task::yield_now().await;
    }
    let counts = counts.lock().unwrap();
    counts.clone()
}

#[tokio::test]
async fn a_process_that_is_frozen_after_its_answer_exports_before() {
    // The invocation; then the wait, the second invocation and the workflow.
    assert_eq!(exported_at_answers(true).await, [1, 4]);
}

#[tokio::test]
async fn no_invocation_waits_for_the_exporter_elsewhere() {
    assert_eq!(exported_at_answers(false).await, [0, 0]);
}
