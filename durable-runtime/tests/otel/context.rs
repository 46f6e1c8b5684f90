//! What the code of a step sees of its trace.

use std::sync::OnceLock;

use durable_runtime::{environment::Options, otel, otel::OtelPlugin, prelude::*};
use durable_testing::TestEngine;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

use crate::{collect::Collected, run_on, traced};

#[durable_step]
async fn outgoing() -> Result<Option<String>, Error> {
    let before = otel::traceparent();
    // The context must be there again after the step was polled anew.
    tokio::task::yield_now().await;
    assert_eq!(otel::traceparent(), before);
    Ok(before)
}

#[durable_execution]
async fn calling() -> Result<Vec<Option<String>>, Error> {
    let outside = otel::traceparent();
    Ok(vec![outside, outgoing().await?])
}

#[test]
fn a_step_can_hand_its_attempt_on_as_traceparent() {
    let (headers, collected) = traced(async |engine| engine.start(calling, ()).await.result().await.unwrap());
    let attempt = collected.named("outgoing attempt 1").span_context;
    let expected = format!("00-{}-{}-01", attempt.trace_id(), attempt.span_id());
    assert_eq!(headers, [None, Some(expected)]);
    assert_eq!(otel::traceparent(), None, "nothing is left active on the thread");
}

static TRACER: OnceLock<SdkTracer> = OnceLock::new();

#[durable_step]
async fn querying() -> Result<(), Error> {
    TRACER.get().unwrap().in_span("SELECT", |_| ());
    Ok(())
}

#[durable_execution]
async fn reading() -> Result<(), Error> {
    querying().await
}

#[test]
fn spans_of_the_users_own_are_children_of_the_attempt() {
    let collected = Collected::default();
    let plugin = OtelPlugin::new(SdkTracerProvider::builder().with_simple_exporter(collected.clone()));
    TRACER.set(plugin.provider().tracer("app")).unwrap();
    let options = Options::default().plugin(plugin);
    run_on(
        || TestEngine::with_options(options),
        async |engine| engine.start(reading, ()).await.result().await.unwrap(),
    );
    // Its own time is the machine's, so it is not drawn with the others.
    let attempt = collected.named("querying attempt 1").span_context;
    let own = collected.named("SELECT");
    assert_eq!(own.parent_span_id, attempt.span_id());
    assert_eq!(own.span_context.trace_id(), attempt.trace_id());
}
