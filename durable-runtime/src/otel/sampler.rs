//! One decision for all spans of an execution.

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceContextExt, TraceId},
};
use opentelemetry_sdk::trace::{SamplingDecision, SamplingResult, ShouldSample};

use super::ids;

/// Spans of executions follow their parent, whose decision was made when the invocation began; all others are
/// left to the user's sampler.
#[derive(Clone, Debug)]
pub(super) struct DurableSampler(pub(super) Box<dyn ShouldSample>);

impl ShouldSample for DurableSampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let is_durable = ids::take_is_durable();
        match parent.map(TraceContextExt::span) {
            Some(parent) if is_durable && parent.span_context().is_valid() => SamplingResult {
                decision: if parent.span_context().is_sampled() {
                    SamplingDecision::RecordAndSample
                } else {
                    SamplingDecision::Drop
                },
                attributes: Vec::new(),
                trace_state: parent.span_context().trace_state().clone(),
            },
            _ => self.0.should_sample(parent, trace_id, name, kind, attributes, links),
        }
    }
}
