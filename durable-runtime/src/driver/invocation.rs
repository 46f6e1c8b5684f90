//! One invocation from its envelope to its answer: pages the state, tells the plugins, drives the body.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rustc_hash::FxHashSet;

use super::{Driver, Output, RootBody, panicked};
use crate::{
    core::Core,
    environment::{Clock, Environment},
    plugin::{InvocationEnd, InvocationInfo, InvocationStatus, OperationInfo, Plugins},
    protocol::{
        ErrorObject, ExecutionState, InvocationInput, InvocationOutput, Operation, OperationId,
        OperationType, Payload, Timestamp,
    },
    scope::{Cx, Run},
    service::{BoxFuture, ServiceError, StateRequest, Verdict},
    task::{DriverWake, Task},
    workflow::InvocationError,
};

/// Makes the root future from the input, in the root context. Erased, because a program may serve many functions, and
/// all that follows is the same for each.
pub(crate) type Begin = Box<dyn FnOnce(Option<&Payload>) -> Result<RootBody, ErrorObject> + Send>;

/// Runs one invocation of the body that `begin` makes.
pub(crate) fn drive(
    input: InvocationInput,
    environment: Environment,
    begin: Begin,
) -> BoxFuture<'static, Output> {
    // Erased here, so that this is compiled with this crate and not again with each program.
    Box::pin(invoke(input, environment, begin))
}

async fn invoke(input: InvocationInput, environment: Environment, begin: Begin) -> Output {
    let arn: Arc<str> = input.durable_execution_arn.into();
    let state = input.initial_execution_state;
    let operations = match all_pages(&environment, &arn, &input.checkpoint_token, state).await {
        Ok(operations) => operations,
        Err(error) => return refused(&error),
    };
    let execution = execution_of(&arn, &operations);
    let payload = execution.and_then(|execution| execution.execution_details.as_ref()?.input_payload.clone());
    let plugins = environment.options.plugins.clone();
    let (updated, described) = if plugins.is_empty() {
        Default::default()
    } else {
        describe_updated(&arn, &operations, input.updated_operation_ids)
    };
    let (request_id, trace_header) = (environment.request_id.clone(), environment.trace_header.clone());
    let clock = Arc::clone(&environment.clock);
    let invocation = InvocationInfo {
        request_id: request_id.as_deref(),
        trace_header: trace_header.as_deref(),
        execution_arn: &arn,
        started_at: clock.now(),
        is_first: operations.iter().all(|operation| operation.operation_type == OperationType::Execution),
        execution_started_at: execution.map(|execution| execution.start_timestamp),
        input: payload.as_ref(),
        updated: &described,
        operation_count: operations.len(),
    };
    plugins.each(|plugin| plugin.invocation_started(&invocation));
    let watch = Watch { plugins: &plugins, invocation: &invocation, clock: &*clock, ended: false };
    let output = run_body(&arn, input.checkpoint_token, operations, updated, environment, |cx| {
        cx.enter(|| begin(payload.as_ref()))
    })
    .await;
    watch.end(&output);
    plugins.flush().await;
    output
}

/// Tells the plugins how an invocation ends, also when its future is dropped.
struct Watch<'a> {
    plugins: &'a Plugins,
    invocation: &'a InvocationInfo<'a>,
    clock: &'a dyn Clock,
    ended: bool,
}

impl Watch<'_> {
    fn end(mut self, output: &Output) {
        self.ended = true;
        if !self.plugins.is_empty() {
            let end = end_of(output, self.clock.now());
            self.plugins.each(|plugin| plugin.invocation_ended(self.invocation, &end));
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.ended && !self.plugins.is_empty() {
            let at = self.clock.now();
            self.plugins.each(|plugin| plugin.invocation_abandoned(self.invocation, at));
        }
    }
}

/// What plugins are told of how an invocation ended.
fn end_of(output: &Output, ended_at: Timestamp) -> InvocationEnd<'_> {
    let (status, error, result) = match output {
        Ok(InvocationOutput::Succeeded { result }) => (InvocationStatus::Succeeded, None, result.as_ref()),
        Ok(InvocationOutput::Failed { error }) => (InvocationStatus::Failed, error.as_ref(), None),
        Ok(InvocationOutput::Pending) => (InvocationStatus::Pending, None, None),
        Err(error) => (InvocationStatus::Retrying, Some(error.error()), None),
    };
    InvocationEnd { status, error, result, ended_at }
}

/// Drives the body that `begin` makes in the root context.
async fn run_body(
    arn: &Arc<str>,
    token: String,
    operations: Vec<Operation>,
    updated: FxHashSet<OperationId>,
    environment: Environment,
    begin: impl FnOnce(&Cx) -> Result<RootBody, ErrorObject> + Send,
) -> Output {
    let wake = Arc::new(DriverWake::default());
    let task = Task::root(Arc::clone(&wake));
    let core = Core::new(operations);
    let run = Run::new(
        core,
        Arc::clone(&environment.clock),
        environment.options.clone(),
        Arc::clone(arn),
        Arc::clone(&task),
        updated,
    );
    let ticket = run.core().register_task(&task);
    let cx = Cx::root(Arc::clone(&run));
    let body = match catch_unwind(AssertUnwindSafe(|| begin(&cx))) {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => return Ok(InvocationOutput::Failed { error: Some(error) }),
        Err(panic) => return Ok(InvocationOutput::Failed { error: Some(panicked(&*panic)) }),
    };
    let mut driver = Driver::new(Box::pin(cx.scope(body)), token, environment, wake, Arc::clone(&run));
    let output = std::future::poll_fn(|context| driver.poll(context)).await;
    run.core().unregister_task(ticket);
    output
}

/// Reads the rest of a paged state, and the payloads that are kept elsewhere.
pub(super) async fn all_pages(
    environment: &Environment,
    arn: &str,
    token: &str,
    first: ExecutionState,
) -> Result<Vec<Operation>, ServiceError> {
    let mut marker = first.marker().map(str::to_owned);
    let mut operations = first.operations;
    while let Some(next) = marker {
        let request = StateRequest {
            durable_execution_arn: arn.to_owned(),
            checkpoint_token: token.to_owned(),
            marker: next,
        };
        let page = environment.service.execution_state(request).await?;
        marker = page.marker().map(str::to_owned);
        operations.extend(page.operations);
    }
    if let Some(payloads) = &environment.options.payloads {
        payloads.restore(&mut operations).await?;
    }
    Ok(operations)
}

/// The execution's own operation: the one with the ARN's last segment as its id, or any `EXECUTION`.
fn execution_of<'a>(arn: &str, operations: &'a [Operation]) -> Option<&'a Operation> {
    let id = arn.rsplit('/').next().unwrap_or(arn);
    operations
        .iter()
        .find(|operation| operation.id.as_str() == id)
        .or_else(|| operations.iter().find(|operation| operation.operation_type == OperationType::Execution))
}

/// What the service changed between two invocations, for plugins.
fn describe_updated(
    arn: &Arc<str>,
    operations: &[Operation],
    updated: Vec<OperationId>,
) -> (FxHashSet<OperationId>, Vec<OperationInfo>) {
    let updated: FxHashSet<OperationId> = updated.into_iter().collect();
    let described = operations
        .iter()
        .filter(|operation| updated.contains(&operation.id))
        .map(|operation| OperationInfo::of_record(operation, true, Arc::clone(arn)))
        .collect();
    (updated, described)
}

/// What a refusal of the service means: end the invocation so that it is tried again, or fail the execution.
pub(super) fn refused(error: &ServiceError) -> Output {
    match error.verdict {
        Verdict::EndInvocation => Err(InvocationError::of_kind(&error.code, &error.message)),
        Verdict::FailExecution => Ok(InvocationOutput::Failed {
            error: Some(ErrorObject::new(
                "CheckpointError",
                format!("the durable execution service refused a checkpoint: {error}"),
            )),
        }),
    }
}
