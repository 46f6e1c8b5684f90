//! What spans say: names, attributes and status.

use opentelemetry::{
    KeyValue,
    trace::{SpanRef, Status},
};
use serde::Serialize;

use crate::{
    plugin::{AttemptInfo, OperationInfo},
    protocol::{ErrorObject, OperationStatus, OperationType, Timestamp},
};

pub(super) const TRUNCATED: &str = "durable.span.truncated_at_invocation_boundary";
pub(super) const ABANDONED: &str = "durable.operation.abandoned";

pub(super) fn execution_arn(arn: &str) -> KeyValue {
    KeyValue::new("durable.execution.arn", arn.to_owned())
}

/// The operation's name, or what it is.
pub(super) fn name_of(operation: &OperationInfo) -> String {
    let name = operation.name.as_ref().or(operation.sub_type.as_ref());
    name.map_or_else(|| operation.operation_type.to_string(), ToString::to_string)
}

pub(super) fn attempt_attributes(attempt: &AttemptInfo) -> Vec<KeyValue> {
    let mut attributes = identity_attributes(&attempt.operation);
    attributes.extend(attempt.attempt.map(attempt_number));
    attributes
}

pub(super) fn operation_attributes(operation: &OperationInfo) -> Vec<KeyValue> {
    let mut attributes = identity_attributes(operation);
    attributes
        .extend(operation.status.map(|status| KeyValue::new("durable.operation.status", wire_name(status))));
    // Other operations have no attempts, whatever the service says.
    let attempts = operation.attempt.filter(|_| operation.operation_type == OperationType::Step);
    attributes.extend(attempts.map(attempt_number));
    attributes
}

fn identity_attributes(operation: &OperationInfo) -> Vec<KeyValue> {
    let mut attributes = vec![
        execution_arn(&operation.execution_arn),
        KeyValue::new("durable.operation.id", operation.id.to_string()),
        KeyValue::new("durable.operation.type", wire_name(operation.operation_type)),
    ];
    let name = operation.name.as_ref().map(|name| KeyValue::new("durable.operation.name", name.to_string()));
    let sub_type = operation.sub_type.as_ref();
    attributes.extend(name);
    attributes.extend(sub_type.map(|text| KeyValue::new("durable.operation.subtype", text.to_string())));
    attributes
}

/// A kind or a status as the service writes it.
fn wire_name(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn attempt_number(attempt: u32) -> KeyValue {
    KeyValue::new("durable.attempt.number", i64::from(attempt))
}

pub(super) fn error_type(error: &ErrorObject) -> Option<KeyValue> {
    error.kind().map(|kind| KeyValue::new("error.type", kind.to_owned()))
}

/// Marks a span as failed, as OpenTelemetry's conventions for exceptions describe it.
pub(super) fn fail(span: &SpanRef<'_>, error: Option<&ErrorObject>, at: Timestamp) {
    let Some(error) = error else { return span.set_status(Status::error("")) };
    span.set_status(Status::error(error.message().to_owned()));
    span.set_attributes(error_type(error));
    let mut exception = vec![KeyValue::new("exception.message", error.message().to_owned())];
    exception.extend(error.kind().map(|kind| KeyValue::new("exception.type", kind.to_owned())));
    span.add_event_with_timestamp("exception", at.into(), exception);
}

pub(super) fn operation_status(span: &SpanRef<'_>, operation: &OperationInfo, at: Timestamp) {
    match operation.status {
        Some(OperationStatus::Succeeded) => span.set_status(Status::Ok),
        Some(OperationStatus::Failed | OperationStatus::TimedOut | OperationStatus::Stopped) => {
            fail(span, operation.error.as_ref(), at);
        }
        // Cancelled is neither.
        _ => {}
    }
}
