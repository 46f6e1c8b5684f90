//! Executions in virtual time, and the traces that are exported for them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod collect;
mod context;
mod flush;
mod host;
mod sampling;
mod tree;

use durable_runtime::{environment::Options, otel::OtelPlugin};
use durable_testing::{TestEngine, virtual_time};
use opentelemetry_sdk::trace::SdkTracerProvider;

use crate::collect::Collected;

/// Runs a test on an engine whose executions are traced, and gives what was exported.
fn traced<T>(test: impl AsyncFnOnce(TestEngine) -> T) -> (T, Collected) {
    let collected = Collected::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(collected.clone());
    let options = Options::default().plugin(OtelPlugin::new(provider));
    (run_on(|| TestEngine::with_options(options), test), collected)
}

/// Runs a test on an engine in virtual time, and lets the invocations end.
fn run_on<T>(engine: impl FnOnce() -> TestEngine, test: impl AsyncFnOnce(TestEngine) -> T) -> T {
    virtual_time(async {
        let answer = test(engine()).await;
        settle().await;
        answer
    })
}

/// Lets invocations end: the engine knows the end of an execution a moment before its invocation's future has
/// returned.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}
