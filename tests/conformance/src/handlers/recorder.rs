//! A plugin that writes one JSON object for each hook, with every field that the hook was given.
//!
//! Fields that are not set are left out, so that a hook which is told too little shows. Some fields have two names,
//! since the requirements do.

use std::{fmt, sync::Arc};

use durable_runtime::plugin::{
    AttemptInfo, InvocationEnd, InvocationInfo, OperationInfo, OperationsChanged, Plugin,
};
use serde_json::{Map, Value, json};

/// Where plugins write their lines.
#[derive(Clone)]
pub struct Output(Arc<dyn Fn(String) + Send + Sync>);

impl Output {
    /// The standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self::new(|line| println!("{line}"))
    }

    /// Somebody who is given each line.
    pub fn new(write: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

/// See the module.
pub(super) struct Recorder {
    name: &'static str,
    output: Output,
    wanted: fn(&OperationInfo) -> bool,
    panics: bool,
}

impl Recorder {
    /// Writes as plugin `name`, about operations that are `wanted`, and about all invocations.
    pub(super) fn new(name: &'static str, output: &Output, wanted: fn(&OperationInfo) -> bool) -> Self {
        Self { name, output: output.clone(), wanted, panics: false }
    }

    /// Panics in each hook, after it has written.
    pub(super) fn panicking(self) -> Self {
        Self { panics: true, ..self }
    }

    fn write(&self, hook: &str, execution_arn: &str, fields: Value) {
        let mut record = Map::new();
        record.insert("plugin".to_owned(), json!(self.name));
        record.insert("hook".to_owned(), json!(hook));
        record.insert("durableExecutionArn".to_owned(), json!(execution_arn));
        if let Value::Object(fields) = fields {
            record.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
        }
        (self.output.0)(Value::Object(record).to_string());
    }

    fn panic_if_it_must(&self, hook: &str) {
        assert!(!self.panics, "plugin {} panics in {hook}", self.name);
    }

    fn operation_hook(&self, hook: &str, operation: &OperationInfo) {
        if (self.wanted)(operation) {
            self.write(hook, &operation.execution_arn, describe(operation));
            self.panic_if_it_must(hook);
        }
    }

    fn attempt_hook(&self, moment: &str, attempt: &AttemptInfo) {
        if !(self.wanted)(&attempt.operation) {
            return;
        }
        // An attempt of a step, or the function of a context.
        let hook = format!("{}-{moment}", if attempt.attempt.is_some() { "attempt" } else { "fn" });
        let outcome = attempt.succeeded.map(|succeeded| if succeeded { "SUCCEEDED" } else { "FAILED" });
        let fields = json!({
            "attempt": attempt.attempt,
            "n": attempt.attempt,
            "startTimestamp": attempt.started_at.to_string(),
            "endTimestamp": attempt.ended_at.map(|moment| moment.to_string()),
            "outcome": outcome,
            "error": attempt.error.as_ref().map(|error| error.message().to_owned()),
            "isReplayingChildren": attempt.is_replaying_children,
        });
        self.write(&hook, &attempt.operation.execution_arn, merged(describe(&attempt.operation), fields));
        self.panic_if_it_must(&hook);
    }
}

impl Plugin for Recorder {
    fn invocation_started(&self, invocation: &InvocationInfo<'_>) {
        for operation in invocation.updated.iter().filter(|operation| (self.wanted)(operation)) {
            let fields = merged(describe(operation), json!({ "first": invocation.is_first }));
            self.write("updated-on-invoke", invocation.execution_arn, fields);
        }
        self.write("invocation-start", invocation.execution_arn, describe_invocation(invocation));
        self.panic_if_it_must("invocation-start");
    }

    fn invocation_ended(&self, invocation: &InvocationInfo<'_>, end: &InvocationEnd<'_>) {
        let fields = json!({
            "status": end.status.as_str(),
            "terminal": end.status.is_terminal(),
            "executionError": end.error.map(|error| error.message().to_owned()),
        });
        let fields = merged(describe_invocation(invocation), fields);
        self.write("invocation-end", invocation.execution_arn, fields);
        self.panic_if_it_must("invocation-end");
    }

    fn operation_started(&self, operation: &OperationInfo) {
        self.operation_hook("operation-start", operation);
    }

    fn operation_ended(&self, operation: &OperationInfo) {
        self.operation_hook("operation-end", operation);
    }

    fn operations_changed(&self, change: &OperationsChanged<'_>) {
        for operation in change.updated.iter().filter(|operation| (self.wanted)(operation)) {
            let in_full_map = change.operation(&operation.id).is_some();
            let fields = json!({
                "executionArn": change.execution_arn,
                "updatedOperationsCount": change.updated.len(),
                "operationsCount": change.operation_count,
                "inFullMap": in_full_map,
                "in_full_map": in_full_map,
            });
            self.write("operation-change", change.execution_arn, merged(describe(operation), fields));
        }
    }

    fn attempt_started(&self, attempt: &AttemptInfo) {
        self.attempt_hook("start", attempt);
    }

    fn attempt_ended(&self, attempt: &AttemptInfo) {
        self.attempt_hook("end", attempt);
    }
}

fn describe_invocation(invocation: &InvocationInfo<'_>) -> Value {
    json!({
        "first": invocation.is_first,
        "isFirstInvocation": invocation.is_first,
        "requestId": invocation.request_id,
        "operationsCount": invocation.operation_count,
        "updatedOperationsCount": invocation.updated.len(),
        "executionStartTimestamp": invocation.execution_started_at.map(|moment| moment.to_string()),
    })
}

fn describe(operation: &OperationInfo) -> Value {
    json!({
        "id": operation.id,
        "op": operation.id,
        "name": operation.name,
        "type": operation.operation_type,
        "subType": operation.sub_type,
        "parentId": operation.parent_id,
        "parent": operation.parent_id.as_ref().map_or("NONE", |id| id.as_str()),
        "status": operation.status,
        "startTimestamp": operation.started_at.map(|moment| moment.to_string()),
        "endTimestamp": operation.ended_at.map(|moment| moment.to_string()),
        "attempt": operation.attempt,
        "error": operation.error.as_ref().map(|error| error.message().to_owned()),
        "isReplay": operation.is_replay,
        "replay": operation.is_replay,
    })
}

/// The members of both; those of `over` win unless they are null.
fn merged(base: Value, over: Value) -> Value {
    match (base, over) {
        (Value::Object(mut base), Value::Object(over)) => {
            base.extend(over.into_iter().filter(|(_, value)| !value.is_null()));
            Value::Object(base)
        }
        (_, over) => over,
    }
}
