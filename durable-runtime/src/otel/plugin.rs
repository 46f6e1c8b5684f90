//! The plugin: which invocations are open, and what becomes of each event.

use std::{
    any::Any,
    collections::hash_map::Entry,
    fmt,
    sync::{Arc, Mutex},
};

use opentelemetry::{Context, InstrumentationScope, trace::TracerProvider as _};
use opentelemetry_sdk::trace::{Config, SdkTracer, SdkTracerProvider, ShouldSample, TracerProviderBuilder};
use rustc_hash::FxHashMap;

use super::{
    flush::flush, ids::DurableIds, invocation::OpenInvocation, sampler::DurableSampler, trace::Trace,
};
use crate::{
    plugin::{
        AroundPoll, AttemptInfo, InvocationEnd, InvocationInfo, OperationInfo, OperationsChanged, Plugin,
    },
    protocol::{OperationType, Timestamp},
    service::BoxFuture,
    sync::lock,
};

/// Exports spans for executions; see the [module](super).
pub struct OtelPlugin {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    sampler: Box<dyn ShouldSample>,
    reads_trace_header: bool,
    flushes: bool,
    /// By execution. An execution has one invocation at a time.
    open: Mutex<FxHashMap<Arc<str>, Arc<OpenInvocation>>>,
}

impl OtelPlugin {
    /// A plugin that exports through what `provider` is built with. The sampler is the one that
    /// `OTEL_TRACES_SAMPLER` names, by default all traces; for another one see [`Self::with_sampler`].
    #[must_use]
    pub fn new(provider: TracerProviderBuilder) -> Self {
        Self::with_sampler(provider, Config::default().sampler)
    }

    /// A plugin whose traces are chosen by `sampler`, also those that have nothing to do with executions.
    ///
    /// The sampler is given here, and one of the builder's is replaced: it is asked once for each invocation, and
    /// all spans of the invocation follow. One that decides by the trace's id, such as
    /// [`Sampler::TraceIdRatioBased`](opentelemetry_sdk::trace::Sampler), decides the same in each invocation.
    #[must_use]
    pub fn with_sampler(provider: TracerProviderBuilder, sampler: impl Into<Box<dyn ShouldSample>>) -> Self {
        let sampler = sampler.into();
        let provider = provider
            .with_id_generator(DurableIds::default())
            .with_sampler(DurableSampler(sampler.clone()))
            .build();
        let scope =
            InstrumentationScope::builder("durable-runtime").with_version(env!("CARGO_PKG_VERSION")).build();
        Self {
            tracer: provider.tracer_with_scope(scope),
            provider,
            sampler,
            reads_trace_header: true,
            // Set in every process that serves Lambda, and nowhere else.
            flushes: std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some(),
            open: Mutex::default(),
        }
    }

    /// The provider, for spans of your own and to shut it down when the program ends.
    #[must_use]
    pub const fn provider(&self) -> &SdkTracerProvider {
        &self.provider
    }

    /// Gives each execution a trace of its own, and leaves the decision whether to export it to the sampler, even
    /// where the host passes an X-Ray header.
    #[must_use]
    pub const fn ignore_trace_header(mut self) -> Self {
        self.reads_trace_header = false;
        self
    }

    /// Whether each invocation waits until its spans are exported. Default: on AWS Lambda, which freezes the
    /// process after the answer; elsewhere the exporter takes its time.
    #[must_use]
    pub const fn flush_each_invocation(mut self, flush: bool) -> Self {
        self.flushes = flush;
        self
    }

    fn invocation(&self, arn: &str) -> Option<Arc<OpenInvocation>> {
        lock(&self.open).get(arn).cloned()
    }

    /// Takes the invocation out, unless it is another one of the same execution that has begun since.
    fn close(&self, invocation: &InvocationInfo<'_>) -> Option<Arc<OpenInvocation>> {
        match lock(&self.open).entry(invocation.execution_arn.into()) {
            Entry::Occupied(open) if open.get().is(invocation) => Some(open.remove()),
            _ => None,
        }
    }
}

impl fmt::Debug for OtelPlugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtelPlugin").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Plugin for OtelPlugin {
    fn invocation_started(&self, invocation: &InvocationInfo<'_>) {
        let header = invocation.trace_header.filter(|_| self.reads_trace_header);
        let trace = Trace::of(self.tracer.clone(), &*self.sampler, invocation, header);
        let opened = OpenInvocation::begin(trace, invocation);
        lock(&self.open).insert(invocation.execution_arn.into(), opened);
    }

    fn invocation_ended(&self, invocation: &InvocationInfo<'_>, end: &InvocationEnd<'_>) {
        if let Some(open) = self.close(invocation) {
            open.end(invocation, end);
        }
    }

    fn invocation_abandoned(&self, invocation: &InvocationInfo<'_>, at: Timestamp) {
        if let Some(open) = self.close(invocation) {
            open.abandon(at);
        }
    }

    fn flush(&self) -> Option<BoxFuture<'static, ()>> {
        self.flushes.then(|| flush(self.provider.clone()))
    }

    fn operation_started(&self, operation: &OperationInfo) {
        if let Some(open) = self.invocation(&operation.execution_arn) {
            open.operation_started(operation);
        }
    }

    fn operations_changed(&self, change: &OperationsChanged<'_>) {
        if let Some(open) = self.invocation(change.execution_arn) {
            open.operations_changed(change);
        }
    }

    fn operation_ended(&self, operation: &OperationInfo) {
        if let Some(open) = self.invocation(&operation.execution_arn) {
            open.operation_ended(operation);
        }
    }

    fn attempt_started(&self, attempt: &AttemptInfo) {
        // A context's own span says all there is to say about its body.
        if attempt.operation.operation_type == OperationType::Step
            && let Some(open) = self.invocation(&attempt.operation.execution_arn)
        {
            open.attempt_started(attempt);
        }
    }

    fn attempt_ended(&self, attempt: &AttemptInfo) {
        if let Some(open) = self.invocation(&attempt.operation.execution_arn) {
            open.attempt_ended(attempt);
        }
    }

    fn around_polls(&self, attempt: &AttemptInfo) -> Option<Box<dyn AroundPoll>> {
        let open = self.invocation(&attempt.operation.execution_arn)?;
        Some(Box::new(Active(open.attempt_context(attempt)?)))
    }
}

/// The context of an attempt, which is the active one while the attempt is polled.
struct Active(Context);

impl AroundPoll for Active {
    fn enter(&self) -> Box<dyn Any> {
        Box::new(self.0.clone().attach())
    }
}
