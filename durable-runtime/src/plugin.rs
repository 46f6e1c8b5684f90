//! Plugins: instrumentation that watches executions and can't change them.
//!
//! The hooks and their fields are the union of what AWS's Python and JS SDKs offer. Finished operations are
//! not announced again on replay; unfinished ones are, with `is_replay`. A plugin that panics is caught and
//! logged, and the others still hear of the event.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::Poll,
};

use compact_str::CompactString;

use crate::{
    codec::Outcome,
    operations::attempt::panic_message,
    protocol::{
        ErrorObject, Operation, OperationId, OperationStatus, OperationType, OperationUpdate, Payload,
        Timestamp,
    },
    service::BoxFuture,
};

/// Watches executions: every hook has an empty default.
///
/// Hooks run inside the invocation, in the order in which things happen: keep them short, and never block.
///
/// ```
/// use durable_runtime::plugin::{OperationInfo, Plugin};
///
/// struct Print;
///
/// impl Plugin for Print {
///     fn operation_ended(&self, operation: &OperationInfo) {
///         println!("{} {:?}", operation.id, operation.status);
///     }
/// }
///
/// let options = durable_runtime::environment::Options::default().plugin(Print);
/// # let _ = options;
/// ```
pub trait Plugin: Send + Sync {
    /// An invocation begins; no user code has run in it yet.
    fn invocation_started(&self, invocation: &InvocationInfo<'_>) {
        let _ = invocation;
    }

    /// An invocation ended, also when it only suspended.
    fn invocation_ended(&self, invocation: &InvocationInfo<'_>, end: &InvocationEnd<'_>) {
        let _ = (invocation, end);
    }

    /// The host gave an invocation up half-way, at `at`: the execution was stopped, or the host itself ends.
    /// Called instead of [`invocation_ended`](Self::invocation_ended).
    fn invocation_abandoned(&self, invocation: &InvocationInfo<'_>, at: Timestamp) {
        let _ = (invocation, at);
    }

    /// What the host waits for after [`invocation_ended`](Self::invocation_ended), before it gives its answer:
    /// for a plugin that sends what it has collected, since a process on Lambda is frozen after the answer.
    fn flush(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// An operation is about to be started, or an unfinished one was met on replay.
    fn operation_started(&self, operation: &OperationInfo) {
        let _ = operation;
    }

    /// An operation reached its end: seen in a checkpoint's answer, or completed between two invocations.
    fn operation_ended(&self, operation: &OperationInfo) {
        let _ = operation;
    }

    /// The answer of a checkpoint was taken in.
    fn operations_changed(&self, change: &OperationsChanged<'_>) {
        let _ = change;
    }

    /// User code begins: an attempt of a step, or the body of a context.
    fn attempt_started(&self, attempt: &AttemptInfo) {
        let _ = attempt;
    }

    /// User code ended. Not called for a body that is suspended or cancelled.
    fn attempt_ended(&self, attempt: &AttemptInfo) {
        let _ = attempt;
    }

    /// What surrounds each poll of an attempt of a step, such as a thread-local context. Asked for after
    /// [`attempt_started`](Self::attempt_started).
    fn around_polls(&self, attempt: &AttemptInfo) -> Option<Box<dyn AroundPoll>> {
        let _ = attempt;
        None
    }
}

/// Surrounds each poll of an attempt; see [`Plugin::around_polls`].
pub trait AroundPoll: Send {
    /// Called before a poll; what it gives is dropped after the poll, on the same thread.
    fn enter(&self) -> Box<dyn Any>;
}

/// One invocation.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct InvocationInfo<'a> {
    /// The host's id of this invocation, such as Lambda's request id.
    pub request_id: Option<&'a str>,
    /// The X-Ray header that came with the invocation, such as `Root=1-..;Parent=..;Sampled=1`.
    pub trace_header: Option<&'a str>,
    /// Which execution.
    pub execution_arn: &'a str,
    /// When this invocation began.
    pub started_at: Timestamp,
    /// True while nothing but the execution itself is recorded.
    pub is_first: bool,
    /// When the execution was started.
    pub execution_started_at: Option<Timestamp>,
    /// What the execution was started with.
    pub input: Option<&'a Payload>,
    /// What the service has changed since the previous invocation ended.
    pub updated: &'a [OperationInfo],
    /// How many operations were recorded when the invocation began, the execution included.
    pub operation_count: usize,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct InvocationEnd<'a> {
    /// What it answered.
    pub status: InvocationStatus,
    /// Why the execution failed, or why the invocation has to be tried again.
    pub error: Option<&'a ErrorObject>,
    /// What the execution returned.
    pub result: Option<&'a Payload>,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// What an invocation answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationStatus {
    /// The execution succeeded.
    Succeeded,
    /// The execution failed.
    Failed,
    /// The execution is suspended.
    Pending,
    /// The invocation failed and will be tried again.
    Retrying,
}

impl InvocationStatus {
    /// True when the execution has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }

    /// The status as AWS's SDKs write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Pending => "PENDING",
            Self::Retrying => "RETRYING",
        }
    }
}

/// One operation, as far as it is known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OperationInfo {
    /// Its id, as in the history.
    pub id: OperationId,
    /// The context it belongs to.
    pub parent_id: Option<OperationId>,
    /// Its name.
    pub name: Option<CompactString>,
    /// Its kind.
    pub operation_type: OperationType,
    /// Its sub type.
    pub sub_type: Option<CompactString>,
    /// Where it stands; absent before its first checkpoint.
    pub status: Option<OperationStatus>,
    /// When it began, by the service's clock.
    pub started_at: Option<Timestamp>,
    /// When it ended, by the service's clock.
    pub ended_at: Option<Timestamp>,
    /// Finished attempts of a step.
    pub attempt: Option<u32>,
    /// The serialised result.
    pub result: Option<Payload>,
    /// The error.
    pub error: Option<ErrorObject>,
    /// True when it was recorded before this invocation began.
    pub is_replay: bool,
    /// Which execution.
    pub execution_arn: Arc<str>,
}

/// What a checkpoint's answer changed.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct OperationsChanged<'a> {
    /// Which execution.
    pub execution_arn: &'a str,
    /// The operations in the answer.
    pub updated: &'a [OperationInfo],
    /// How many operations are known now.
    pub operation_count: usize,
    pub(crate) known: &'a dyn Fn(&OperationId) -> Option<OperationInfo>,
}

impl OperationsChanged<'_> {
    /// Any operation of the execution, as it stands now.
    #[must_use]
    pub fn operation(&self, id: &OperationId) -> Option<OperationInfo> {
        (self.known)(id)
    }
}

impl fmt::Debug for OperationsChanged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationsChanged").field("updated", &self.updated).finish_non_exhaustive()
    }
}

/// One run of user code: an attempt of a step, or the body of a context.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptInfo {
    /// The operation whose code runs.
    pub operation: OperationInfo,
    /// Which attempt of a step, counted from 1.
    pub attempt: Option<u32>,
    /// When the code began.
    pub started_at: Timestamp,
    /// When it ended; absent at the start.
    pub ended_at: Option<Timestamp>,
    /// Whether it succeeded; absent at the start.
    pub succeeded: Option<bool>,
    /// Its error, if it failed.
    pub error: Option<ErrorObject>,
    /// True when the body of a context runs again so that its recorded operations are replayed.
    pub is_replaying_children: bool,
}

impl AttemptInfo {
    /// The same run of code at its end.
    pub(crate) fn ended(mut self, at: Timestamp, outcome: &Outcome) -> Self {
        self.ended_at = Some(at);
        self.succeeded = Some(matches!(outcome, Outcome::Succeeded(_)));
        if let Outcome::Failed(error) = outcome {
            self.error = Some(error.clone());
        }
        self
    }
}

impl OperationInfo {
    pub(crate) fn of_start(update: &OperationUpdate, is_replay: bool, execution_arn: Arc<str>) -> Self {
        Self {
            id: update.id.clone(),
            parent_id: update.parent_id.clone(),
            name: update.name.clone(),
            operation_type: update.operation_type,
            sub_type: update.sub_type.clone(),
            status: None,
            started_at: None,
            ended_at: None,
            attempt: None,
            result: None,
            error: None,
            is_replay,
            execution_arn,
        }
    }

    pub(crate) fn of_record(operation: &Operation, is_replay: bool, execution_arn: Arc<str>) -> Self {
        let (result, error) = match (
            &operation.step_details,
            &operation.context_details,
            &operation.callback_details,
            &operation.chained_invoke_details,
        ) {
            (Some(step), ..) => (step.result.clone(), step.error.clone()),
            (_, Some(context), ..) => (context.result.clone(), context.error.clone()),
            (_, _, Some(callback), _) => (callback.result.clone(), callback.error.clone()),
            (_, _, _, Some(invoke)) => (invoke.result.clone(), invoke.error.clone()),
            _ => (None, None),
        };
        let failed = operation.status.is_terminal() && operation.status != OperationStatus::Succeeded;
        Self {
            id: operation.id.clone(),
            parent_id: operation.parent_id.clone(),
            name: operation.name.clone(),
            operation_type: operation.operation_type,
            sub_type: operation.sub_type.clone(),
            status: Some(operation.status),
            started_at: Some(operation.start_timestamp),
            ended_at: operation.end_timestamp,
            attempt: operation.step_details.as_ref().and_then(|step| step.attempt),
            result,
            // A step that succeeded may still carry the error of an earlier attempt.
            error: error.filter(|_| failed),
            is_replay,
            execution_arn,
        }
    }
}

/// The plugins of a host.
#[derive(Clone, Default)]
pub struct Plugins(Vec<Arc<dyn Plugin>>);

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Plugins").field(&self.0.len()).finish()
    }
}

impl Plugins {
    pub(crate) fn add(&mut self, plugin: Arc<dyn Plugin>) {
        self.0.push(plugin);
    }

    /// True when nobody watches, so that nothing needs to be described.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Calls a hook of every plugin; one that panics is logged.
    pub(crate) fn each(&self, hook: impl Fn(&dyn Plugin)) {
        for plugin in &self.0 {
            isolated(|| hook(&**plugin));
        }
    }

    /// What the plugins want around the polls of an attempt.
    pub(crate) fn around_polls(&self, attempt: &AttemptInfo) -> Surroundings {
        let around = |plugin: &Arc<dyn Plugin>| isolated(|| plugin.around_polls(attempt)).flatten();
        Surroundings(self.0.iter().filter_map(around).collect())
    }

    /// Waits until every plugin has sent what it wants to send.
    pub(crate) async fn flush(&self) {
        for plugin in &self.0 {
            let Some(mut flush) = isolated(|| plugin.flush()).flatten() else { continue };
            let isolated_poll = |context: &mut std::task::Context<'_>| {
                isolated(|| flush.as_mut().poll(context)).unwrap_or(Poll::Ready(()))
            };
            std::future::poll_fn(isolated_poll).await;
        }
    }
}

/// What the plugins have put around the polls of one attempt.
#[derive(Default)]
pub(crate) struct Surroundings(Vec<Box<dyn AroundPoll>>);

impl Surroundings {
    /// Runs `poll` inside all of it. User code that panics must be caught by `poll` itself.
    pub(crate) fn surround<T>(&self, poll: impl FnOnce() -> T) -> T {
        if self.0.is_empty() {
            return poll();
        }
        let mut entered: Vec<_> = self.0.iter().map(|around| isolated(|| around.enter())).collect();
        let result = poll();
        // Left in the opposite order, as scopes nest.
        while let Some(last) = entered.pop() {
            isolated(|| drop(last));
        }
        result
    }
}

impl Drop for Surroundings {
    fn drop(&mut self) {
        while let Some(around) = self.0.pop() {
            isolated(|| drop(around));
        }
    }
}

/// Calls a plugin; one that panics is logged.
fn isolated<T>(call: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(answer) => Some(answer),
        Err(panic) => {
            tracing::error!(message = panic_message(&*panic), "a plugin panicked; the execution goes on");
            None
        }
    }
}
