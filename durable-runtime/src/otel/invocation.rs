//! What is open during one invocation: its own span, those of the attempts that run, and the operations that have
//! not ended.

use std::sync::{Arc, Mutex};

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanBuilder, SpanContext, Status, TraceContextExt as _},
};
use rustc_hash::FxHashMap;

use super::{
    ids,
    operations::OpenOperations,
    span::{
        ABANDONED, TRUNCATED, attempt_attributes, error_type, execution_arn, fail, name_of,
        operation_attributes, operation_status,
    },
    trace::{Trace, WORKFLOW},
};
use crate::{
    plugin::{
        AttemptInfo, InvocationEnd, InvocationInfo, InvocationStatus, OperationInfo, OperationsChanged,
    },
    protocol::{OperationId, Timestamp},
    sync::lock,
};

/// An invocation that runs.
pub(super) struct OpenInvocation {
    trace: Trace,
    request_id: Option<String>,
    started_at: Timestamp,
    /// Holds the invocation's span.
    context: Context,
    /// Each holds the span of an attempt that runs.
    attempts: Mutex<FxHashMap<AttemptKey, Context>>,
    operations: Mutex<OpenOperations>,
}

type AttemptKey = (OperationId, Option<u32>);

fn key_of(attempt: &AttemptInfo) -> AttemptKey {
    (attempt.operation.id.clone(), attempt.attempt)
}

impl OpenInvocation {
    pub(super) fn begin(trace: Trace, invocation: &InvocationInfo<'_>) -> Arc<Self> {
        let request_id = invocation.request_id.map(str::to_owned);
        let mut attributes =
            vec![execution_arn(&trace.arn), KeyValue::new("durable.invocation.first", invocation.is_first)];
        attributes.extend(request_id.clone().map(|id| KeyValue::new("faas.invocation_id", id)));
        let span = SpanBuilder::from_name("Invocation")
            .with_start_time(invocation.started_at)
            .with_attributes(attributes);
        let parent = trace.remote.clone().unwrap_or_else(|| trace.workflow.clone());
        let context = trace.begin(span, None, Some(parent));
        let started_at = invocation.started_at;
        let (attempts, operations) = (Mutex::default(), Mutex::default());
        Arc::new(Self { trace, request_id, started_at, context, attempts, operations })
    }

    /// True for the invocation that this one was begun by.
    pub(super) fn is(&self, invocation: &InvocationInfo<'_>) -> bool {
        self.request_id.as_deref() == invocation.request_id && self.started_at == invocation.started_at
    }

    pub(super) fn end(&self, invocation: &InvocationInfo<'_>, end: &InvocationEnd<'_>) {
        if end.status.is_terminal() {
            let open = lock(&self.operations).take_all();
            self.give_up(open, end.ended_at);
        }
        self.cut_attempts(end.ended_at, |_| true);
        let span = self.context.span();
        span.set_attribute(KeyValue::new("durable.invocation.status", end.status.as_str()));
        match end.status {
            InvocationStatus::Succeeded | InvocationStatus::Pending => span.set_status(Status::Ok),
            InvocationStatus::Failed => fail(&span, end.error, end.ended_at),
            // It is made again, so nothing has failed for good.
            InvocationStatus::Retrying => span.set_attributes(end.error.and_then(error_type)),
        }
        span.end_with_timestamp(end.ended_at.into());
        if end.status.is_terminal() {
            self.end_workflow(invocation, end);
        }
    }

    fn end_workflow(&self, invocation: &InvocationInfo<'_>, end: &InvocationEnd<'_>) {
        let trace = &self.trace;
        let attributes =
            [execution_arn(&trace.arn), KeyValue::new("durable.execution.status", end.status.as_str())];
        let span = SpanBuilder::from_name(WORKFLOW)
            .with_start_time(invocation.execution_started_at.unwrap_or(invocation.started_at))
            .with_attributes(attributes);
        let context = trace.begin(span, Some(trace.workflow.span_id()), trace.remote.clone());
        let span = context.span();
        if end.status == InvocationStatus::Failed {
            fail(&span, end.error, end.ended_at);
        } else {
            span.set_status(Status::Ok);
        }
        span.end_with_timestamp(end.ended_at.into());
    }

    /// Ends the span of an invocation that nobody waits for any more.
    pub(super) fn abandon(&self, at: Timestamp) {
        self.cut_attempts(at, |_| true);
        let span = self.context.span();
        span.set_attribute(KeyValue::new("durable.invocation.status", "ABANDONED"));
        span.end_with_timestamp(at.into());
    }

    /// Ends the attempts of some operations, whose code does not run any more.
    fn cut_attempts(&self, at: Timestamp, of: impl Fn(&OperationId) -> bool) {
        let cut: Vec<_> = lock(&self.attempts).extract_if(|(operation, _), _| of(operation)).collect();
        for (_, context) in cut {
            let span = context.span();
            span.set_attribute(KeyValue::new(TRUNCATED, true));
            span.end_with_timestamp(at.into());
        }
    }

    pub(super) fn operation_started(&self, operation: &OperationInfo) {
        lock(&self.operations).started(operation);
    }

    pub(super) fn operations_changed(&self, change: &OperationsChanged<'_>) {
        lock(&self.operations).changed(change);
    }

    pub(super) fn operation_ended(&self, operation: &OperationInfo) {
        let mut operations = lock(&self.operations);
        if !operations.ended(&operation.id) {
            return;
        }
        let below = operations.take_below(&operation.id);
        drop(operations);
        let ended_at = operation.ended_at.or(operation.started_at).unwrap_or(self.started_at);
        self.give_up(below, ended_at);
        self.export(operation, operation_attributes(operation), ended_at);
    }

    /// Exports operations that nobody waits for any more, such as those that lost a race.
    fn give_up(&self, operations: Vec<OperationInfo>, at: Timestamp) {
        for operation in operations {
            self.cut_attempts(at, |id| *id == operation.id);
            let mut attributes = operation_attributes(&operation);
            attributes.push(KeyValue::new(ABANDONED, true));
            self.export(&operation, attributes, at);
        }
    }

    fn export(&self, operation: &OperationInfo, attributes: Vec<KeyValue>, ended_at: Timestamp) {
        let id = ids::operation_span_id(&self.trace.arn, &operation.id);
        let span = SpanBuilder::from_name(name_of(operation))
            .with_start_time(operation.started_at.unwrap_or(ended_at))
            .with_attributes(attributes)
            .with_links(self.link());
        let parent = operation.parent_id.as_ref().map(|parent| self.trace.operation(parent));
        let parent = parent.unwrap_or_else(|| self.trace.workflow.clone());
        let context = self.trace.begin(span, Some(id), Some(parent));
        let span = context.span();
        operation_status(&span, operation, ended_at);
        span.end_with_timestamp(ended_at.into());
    }

    pub(super) fn attempt_started(&self, attempt: &AttemptInfo) {
        let operation = &attempt.operation;
        let number = attempt.attempt.unwrap_or(1);
        let span = SpanBuilder::from_name(format!("{} attempt {number}", name_of(operation)))
            .with_start_time(attempt.started_at)
            .with_attributes(attempt_attributes(attempt))
            .with_links(self.link());
        let context = self.trace.begin(span, None, Some(self.trace.operation(&operation.id)));
        lock(&self.operations).attempted(&operation.id, attempt.started_at);
        lock(&self.attempts).insert(key_of(attempt), context);
    }

    pub(super) fn attempt_context(&self, attempt: &AttemptInfo) -> Option<Context> {
        lock(&self.attempts).get(&key_of(attempt)).cloned()
    }

    pub(super) fn attempt_ended(&self, attempt: &AttemptInfo) {
        let Some(context) = lock(&self.attempts).remove(&key_of(attempt)) else { return };
        let ended_at = attempt.ended_at.unwrap_or(attempt.started_at);
        let (span, succeeded) = (context.span(), attempt.succeeded == Some(true));
        let outcome = if succeeded { "SUCCEEDED" } else { "FAILED" };
        span.set_attribute(KeyValue::new("durable.attempt.outcome", outcome));
        if succeeded {
            span.set_status(Status::Ok);
        } else {
            fail(&span, attempt.error.as_ref(), ended_at);
        }
        span.end_with_timestamp(ended_at.into());
    }

    /// Operations and attempts are not below the invocation that they ended in, but linked to it.
    fn link(&self) -> Vec<Link> {
        let invocation: SpanContext = self.context.span().span_context().clone();
        vec![Link::with_context(invocation)]
    }
}
