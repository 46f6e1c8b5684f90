//! Request id and ARN on every line that is logged during an invocation.

use std::task::{Context, Poll};

use lambda_runtime::{Error, LambdaInvocation, Service, tower::Layer};
use tracing::{Instrument as _, Span, field::Empty, info_span, instrument::Instrumented};

/// Wraps the whole handling of an invocation, what the Lambda runtime itself logs included. The ARN is recorded once
/// the event is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanLayer;

impl<S> Layer<S> for SpanLayer {
    type Service = InSpan<S>;
    fn layer(&self, inner: S) -> InSpan<S> {
        InSpan(inner)
    }
}

#[derive(Clone, Debug)]
pub(super) struct InSpan<S>(S);

impl<S: Service<LambdaInvocation, Response = (), Error = Error>> Service<LambdaInvocation> for InSpan<S> {
    type Response = ();
    type Error = Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let span = open(&invocation.context);
        let future = span.in_scope(|| self.0.call(invocation));
        future.instrument(span)
    }
}

fn open(context: &lambda_runtime::Context) -> Span {
    info_span!(
        "invocation",
        requestId = context.request_id,
        executionArn = Empty,
        xrayTraceId = context.xray_trace_id,
        tenantId = context.tenant_id,
    )
}

/// The span of this invocation: the surrounding one of [`SpanLayer`], or a new one when the handler runs under
/// somebody else's runtime.
pub(super) fn for_execution(arn: &str, context: &lambda_runtime::Context) -> Span {
    let current = Span::current();
    let span = if current.has_field("executionArn") { current } else { open(context) };
    span.record("executionArn", arn);
    span
}
