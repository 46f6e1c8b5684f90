//! The trace of an execution: whose it is, whether it is exported, and how spans in it begin.

use std::sync::Arc;

use opentelemetry::{
    Context,
    trace::{SpanBuilder, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, Tracer as _},
};
use opentelemetry_sdk::trace::{SamplingDecision, SdkTracer, ShouldSample};

use super::{header::TraceHeader, ids, span::execution_arn};
use crate::{plugin::InvocationInfo, protocol::OperationId};

pub(super) const WORKFLOW: &str = "Workflow";

/// The trace of an execution, as one invocation sees it.
pub(super) struct Trace {
    tracer: SdkTracer,
    pub(super) arn: Arc<str>,
    /// The span of the host that this invocation belongs to.
    pub(super) remote: Option<SpanContext>,
    /// The span of the execution, which is exported only when the execution ends.
    pub(super) workflow: SpanContext,
}

impl Trace {
    pub(super) fn of(
        tracer: SdkTracer,
        sampler: &dyn ShouldSample,
        invocation: &InvocationInfo<'_>,
        header: Option<&str>,
    ) -> Self {
        let arn = invocation.execution_arn;
        let header = header.map(TraceHeader::parse).unwrap_or_default();
        let trace_id = header.trace_id.unwrap_or_else(|| ids::trace_id(arn, invocation.execution_started_at));
        let (sampled, trace_state) = match header.sampled {
            Some(sampled) => (sampled, Default::default()),
            None => {
                let (root, attributes) = (Context::new(), [execution_arn(arn)]);
                let kind = SpanKind::Internal;
                let decision =
                    sampler.should_sample(Some(&root), trace_id, WORKFLOW, &kind, &attributes, &[]);
                (decision.decision == SamplingDecision::RecordAndSample, decision.trace_state)
            }
        };
        let flags = TraceFlags::default().with_sampled(sampled);
        let context = |span_id: SpanId, is_remote| {
            SpanContext::new(trace_id, span_id, flags, is_remote, trace_state.clone())
        };
        Self {
            tracer,
            arn: arn.into(),
            // A parent in no trace, or in another one, is none.
            remote: header.parent.filter(|_| header.trace_id.is_some()).map(|parent| context(parent, true)),
            workflow: context(ids::workflow_span_id(arn), false),
        }
    }

    /// The span of an operation, which is exported only when the operation ends.
    pub(super) fn operation(&self, id: &OperationId) -> SpanContext {
        let workflow = &self.workflow;
        SpanContext::new(
            workflow.trace_id(),
            ids::operation_span_id(&self.arn, id),
            workflow.trace_flags(),
            false,
            workflow.trace_state().clone(),
        )
    }

    /// Begins a span, which the context holds; one without an id of its own gets a random one.
    pub(super) fn begin(
        &self,
        span: SpanBuilder,
        id: Option<SpanId>,
        parent: Option<SpanContext>,
    ) -> Context {
        let parent = match parent {
            Some(parent) => Context::new().with_remote_span_context(parent),
            None => Context::new(),
        };
        let trace_id = self.workflow.trace_id();
        let span = ids::build_with(trace_id, id, || self.tracer.build_with_context(span, &parent));
        Context::current().with_span(span)
    }
}
