//! Which executions are exported, and whose trace they are part of.

use durable_runtime::{
    environment::{Environment, Options},
    otel,
    otel::OtelPlugin,
    prelude::*,
};
use durable_testing::TestEngine;
use opentelemetry::trace::SpanId;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use crate::{
    collect::Collected,
    host::{Answered, hosted},
    run_on,
};

#[durable_step]
async fn header() -> Result<Option<String>, Error> {
    Ok(otel::traceparent())
}

#[durable_execution]
async fn two_invocations() -> Result<String, Error> {
    wait("1s").named("pause").await;
    header().await?.ok_or_else(|| Error::new("no active span"))
}

/// Runs [`two_invocations`] as on Lambda, with this X-Ray header.
fn with_header(header: &'static str, configure: impl Fn(OtelPlugin) -> OtelPlugin) -> (String, Collected) {
    let collected = Collected::default();
    let plugin = OtelPlugin::new(SdkTracerProvider::builder().with_simple_exporter(collected.clone()));
    let options = Options::default().plugin(configure(plugin));
    let host = move |mut environment: Environment| {
        environment.options = options.clone();
        environment.trace_header = Some(header.into());
        (environment, Box::new(|| ()) as Answered)
    };
    let traceparent = run_on(
        || hosted(host),
        async |engine| engine.start(two_invocations, ()).await.result().await.unwrap(),
    );
    (traceparent, collected)
}

const TREE: [&str; 6] = [
    "Workflow 0..1 ok",
    "  pause 0..1 ok",
    "  header 1..1 ok",
    "    header attempt 1 1..1 ok",
    "Invocation 0..0 ok PENDING",
    "Invocation 1..1 ok SUCCEEDED",
];

#[test]
fn an_execution_is_part_of_the_trace_in_lambdas_header() {
    let (traceparent, collected) =
        with_header("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", |it| it);
    let mut tree = collected.tree();
    tree.sort_by_key(|line| line.contains("Invocation"));
    assert_eq!(tree, TREE);
    assert_eq!(collected.trace_id().to_string(), "5759e988bd862e3fe1be46a994272793");
    assert!(traceparent.starts_with("00-5759e988bd862e3fe1be46a994272793-"), "{traceparent}");
    for span in collected.spans() {
        let is_top = span.name == "Invocation" || span.name == "Workflow";
        assert_eq!(span.parent_span_is_remote, is_top, "{}", span.name);
        if is_top {
            assert_eq!(span.parent_span_id.to_string(), "53995c3f42cd8ad8");
        }
    }
}

#[test]
fn an_execution_that_its_caller_does_not_sample_is_not_exported() {
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0";
    let (traceparent, collected) = with_header(header, |plugin| plugin);
    assert!(collected.spans().is_empty());
    assert!(traceparent.starts_with("00-5759e988bd862e3fe1be46a994272793-"), "{traceparent}");
    assert!(traceparent.ends_with("-00"), "whoever is called must not sample either: {traceparent}");

    let (traceparent, collected) = with_header(header, OtelPlugin::ignore_trace_header);
    assert_eq!(collected.tree().len(), TREE.len());
    assert_eq!(collected.named("Workflow").parent_span_id, SpanId::INVALID);
    assert!(traceparent.ends_with("-01"), "{traceparent}");
}

#[test]
fn the_sampler_is_asked_once_and_decides_for_the_whole_trace() {
    let collected = Collected::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(collected.clone());
    // Without `ParentBased`: each span on its own would be sampled by the same rule.
    let plugin = OtelPlugin::with_sampler(provider, Sampler::TraceIdRatioBased(0.5));
    let options = Options::default().plugin(plugin);
    let sampled = run_on(
        || TestEngine::with_options(options),
        async |engine| {
            let mut sampled = 0;
            for _ in 0..40 {
                let traceparent = engine.start(two_invocations, ()).await.result().await.unwrap();
                sampled += usize::from(traceparent.ends_with("-01"));
            }
            sampled
        },
    );
    assert!((5..35).contains(&sampled), "half of 40, give or take: {sampled}");
    assert_eq!(collected.spans().len(), sampled * TREE.len(), "a trace is exported whole or not at all");
}
