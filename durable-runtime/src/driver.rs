//! Runs one invocation: polls the body, flushes batches, suspends or finishes.
//!
//! The driver is the only owner of the token and of every call; an operation's future owns nothing that must
//! survive its drop. Suspension is decided here, at quiescence: nothing runnable, no step body running, no
//! update queued or in flight.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use rustc_hash::FxHashSet;

use crate::{
    codec::Outcome,
    core::{Core, Fatal, RemoteWork, mismatch},
    environment::{DivergencePolicy, Environment},
    operations::{attempt::panic_message, settle::fit_error},
    plugin::{InvocationEnd, InvocationInfo, InvocationStatus, OperationInfo, OperationsChanged},
    protocol::{
        ErrorObject, ExecutionState, InvocationInput, InvocationOutput, Operation, OperationAction, OperationId,
        OperationStatus, OperationType, OperationUpdate, Payload, Timestamp, limits,
    },
    scope::{Cx, Run},
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, ServiceError, StateRequest, Verdict},
    task::{DriverWake, Task},
    workflow::InvocationError,
};

/// What the body of an execution is given and gives.
pub(crate) type RootBody = BoxFuture<'static, Result<Outcome, ErrorObject>>;

/// Runs one invocation. `body` makes the root future from the input, in the root context.
pub(crate) async fn drive(
    input: InvocationInput,
    environment: Environment,
    body: impl FnOnce(Option<&Payload>) -> Result<RootBody, ErrorObject> + Send,
) -> Result<InvocationOutput, InvocationError> {
    let arn: Arc<str> = input.durable_execution_arn.into();
    let state = input.initial_execution_state;
    let operations = match all_pages(&environment, &arn, &input.checkpoint_token, state).await {
        Ok(operations) => operations,
        Err(error) => return refused(&error),
    };
    let execution = execution_of(&arn, &operations);
    let payload = execution.and_then(|execution| execution.execution_details.as_ref()?.input_payload.clone());
    let plugins = environment.options.plugins.clone();
    let (updated, described) = match plugins.is_empty() {
        true => (FxHashSet::default(), Vec::new()),
        false => describe_updated(&arn, &operations, input.updated_operation_ids),
    };
    let request_id = environment.request_id.clone();
    let invocation = InvocationInfo {
        request_id: request_id.as_deref(),
        execution_arn: &arn,
        is_first: operations.iter().all(|operation| operation.operation_type == OperationType::Execution),
        execution_started_at: execution.map(|execution| execution.start_timestamp),
        input: payload.as_ref(),
        updated: &described,
        operation_count: operations.len(),
    };
    plugins.each(|plugin| plugin.invocation_started(&invocation));
    let output = run_body(&arn, input.checkpoint_token, operations, updated, environment, |cx| {
        cx.enter(|| body(payload.as_ref()))
    })
    .await;
    if !plugins.is_empty() {
        let end = end_of(&output);
        plugins.each(|plugin| plugin.invocation_ended(&invocation, &end));
    }
    output
}

/// What plugins are told of how an invocation ended.
const fn end_of(output: &Output) -> InvocationEnd<'_> {
    match output {
        Ok(InvocationOutput::Succeeded { result }) => {
            InvocationEnd { status: InvocationStatus::Succeeded, error: None, result: result.as_ref() }
        }
        Ok(InvocationOutput::Failed { error }) => {
            InvocationEnd { status: InvocationStatus::Failed, error: error.as_ref(), result: None }
        }
        Ok(InvocationOutput::Pending) => {
            InvocationEnd { status: InvocationStatus::Pending, error: None, result: None }
        }
        Err(error) => {
            InvocationEnd { status: InvocationStatus::Retrying, error: Some(error.error()), result: None }
        }
    }
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
    let mut driver = Driver {
        body: Some(Box::pin(cx.scope(body))),
        token,
        call: None,
        alarm: None,
        backoff: FIRST_REFRESH,
        next_refresh: Timestamp::default(),
        outcome: None,
        result_checkpointed: false,
        environment,
        wake,
        run,
    };
    let output = std::future::poll_fn(|context| driver.poll(context)).await;
    driver.run.core().unregister_task(ticket);
    output
}

/// A callback or an invoke has no time of its own: while a step runs, the service is asked after 1 s, then
/// less and less often, as AWS's SDKs do.
const FIRST_REFRESH: Duration = Duration::from_secs(1);
const SLOWEST_REFRESH: Duration = Duration::from_secs(10);
/// Refreshes keep this distance, so that a service whose clock is behind ours is not asked in a busy loop, and
/// what becomes due at about the same time is fetched by one call.
const REFRESH_DISTANCE: Duration = Duration::from_millis(200);
/// How often a body that keeps waking itself is polled before the executor gets its turn.
const POLLS_IN_A_ROW: usize = 32;

type Call = BoxFuture<'static, Result<(Option<String>, Vec<Operation>), ServiceError>>;

struct Driver {
    /// Gone once it has ended.
    body: Option<RootBody>,
    token: String,
    call: Option<Call>,
    alarm: Option<Alarm>,
    backoff: Duration,
    /// No refresh before this moment.
    next_refresh: Timestamp,
    outcome: Option<Outcome>,
    result_checkpointed: bool,
    environment: Environment,
    wake: Arc<DriverWake>,
    run: Arc<Run>,
}

/// A time at which the driver has something to do although nothing woke it.
struct Alarm {
    at: Timestamp,
    purpose: Purpose,
    sleep: BoxFuture<'static, ()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Send what is queued, so that a long step becomes visible.
    Flush,
    /// Ask the service what has become due.
    Refresh,
}

type Output = Result<InvocationOutput, InvocationError>;

impl Driver {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Output> {
        self.wake.set(context.waker());
        for _ in 0..POLLS_IN_A_ROW {
            if let Some(output) = self.poll_call(context) {
                return Poll::Ready(output);
            }
            self.poll_body();
            if let Some(output) = self.end_by_fatal() {
                return Poll::Ready(output);
            }
            // Once the body is gone nobody takes the wake any more.
            if self.body.is_some() && self.run.root_task.is_woken() {
                continue;
            }
            if self.call.is_none() {
                match self.next_move() {
                    Move::Again => continue,
                    Move::Sleep => {}
                    Move::End(output) => return Poll::Ready(output),
                }
            }
            if self.call.is_some() && self.poll_in_flight(context) {
                continue;
            }
            if self.poll_alarm(context) {
                continue;
            }
            return Poll::Pending;
        }
        // The body keeps waking itself. Let the executor run other tasks, then go on.
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes the answer of the call in flight, if it has come.
    fn poll_call(&mut self, context: &mut Context<'_>) -> Option<Output> {
        let call = self.call.as_mut()?;
        let Poll::Ready(answer) = call.as_mut().poll(context) else { return None };
        self.call = None;
        match answer {
            Ok((token, operations)) => {
                // Without a new token the last one stays valid, as after the call that ends the execution.
                if let Some(token) = token.filter(|token| !token.is_empty()) {
                    self.token = token;
                }
                let watched = !self.run.plugins().is_empty();
                let mut core = self.run.core();
                let described = if watched { self.describe_changes(&core, &operations) } else { Vec::new() };
                core.absorb(operations);
                core.acknowledge();
                let operation_count = core.history.len();
                drop(core);
                if watched {
                    self.announce_changes(&described, operation_count);
                }
                None
            }
            Err(error) => Some(refused(&error)),
        }
    }

    /// The operations of an answer, and whether each of them has ended with it.
    fn describe_changes(&self, core: &Core, operations: &[Operation]) -> Vec<(OperationInfo, bool)> {
        let describe = |operation: &Operation| {
            let before = core.history.get(&operation.id).map(|known| known.status);
            let has_ended =
                operation.status.is_terminal() && !before.is_some_and(OperationStatus::is_terminal);
            let info = OperationInfo::of_record(operation, false, Arc::clone(&self.run.arn));
            (info, has_ended)
        };
        operations.iter().map(describe).collect()
    }

    fn announce_changes(&self, described: &[(OperationInfo, bool)], operation_count: usize) {
        let updated: Vec<OperationInfo> = described.iter().map(|(operation, _)| operation.clone()).collect();
        let change = OperationsChanged { execution_arn: &self.run.arn, updated: &updated, operation_count };
        self.run.plugins().each(|plugin| plugin.operations_changed(&change));
        for (operation, _) in described.iter().filter(|(_, has_ended)| *has_ended) {
            self.run.plugins().each(|plugin| plugin.operation_ended(operation));
        }
    }

    /// Polls a call that was just made; true when it is worth another round at once.
    fn poll_in_flight(&mut self, context: &mut Context<'_>) -> bool {
        let Some(call) = self.call.as_mut() else { return false };
        match call.as_mut().poll(context) {
            Poll::Pending => false,
            Poll::Ready(answer) => {
                self.call = Some(Box::pin(std::future::ready(answer)));
                true
            }
        }
    }

    fn poll_body(&mut self) {
        let Some(body) = self.body.as_mut() else { return };
        if !self.run.root_task.take_wake() {
            return;
        }
        let waker = self.run.root_task.waker();
        let mut context = Context::from_waker(&waker);
        match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(&mut context))) {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(Ok(outcome))) => {
                self.body = None;
                self.outcome = Some(outcome);
            }
            Ok(Poll::Ready(Err(error))) => self.run.core().fail(Fatal::Fail(error)),
            Err(panic) => self.run.core().fail(Fatal::Fail(panicked(&*panic))),
        }
    }

    /// A fatal condition beats every other outcome: what is queued is flushed, then the execution fails.
    fn end_by_fatal(&mut self) -> Option<Output> {
        let fatal = self.run.core().fatal().cloned()?;
        // Cancels everything that runs.
        self.body = None;
        self.outcome = None;
        match fatal {
            Fatal::Diverged(error) => {
                self.run.core().outbox.discard();
                Some(match self.environment.options.on_divergence {
                    DivergencePolicy::Fail => Ok(InvocationOutput::Failed { error: Some(error) }),
                    DivergencePolicy::RetryInvocation => Err(error.into()),
                })
            }
            Fatal::Fail(_) if self.call.is_some() || !self.run.core().outbox.is_empty() => None,
            Fatal::Fail(error) => Some(Ok(InvocationOutput::Failed { error: Some(fit_error(error)) })),
        }
    }

    /// What to do now that the body is at rest and no call is in flight.
    fn next_move(&mut self) -> Move {
        let ended = self.body.is_none();
        let mut core = self.run.core();
        if !core.effects_allowed() && core.fatal().is_none() {
            let unreached = core.history.unclaimed().map(|operation| mismatch::unreached(operation, core.outbox.first()));
            match unreached {
                Some(error) => core.fail(Fatal::Diverged(error)),
                None => core.allow_effects(),
            }
            return Move::Again;
        }
        let steps_running = core.steps_running > 0;
        let flush = core.outbox.has_urgent() || (!core.outbox.is_empty() && (ended || !steps_running));
        if flush {
            let updates = core.outbox.take_batch();
            drop(core);
            self.checkpoint(updates);
            return Move::Again;
        }
        if ended {
            drop(core);
            return self.finish();
        }
        let work = core.remote_work();
        let lazy_updates = !core.outbox.is_empty();
        let foreign = core.awaits_something_unrecorded();
        drop(core);
        let now = self.environment.clock.now();
        if steps_running {
            self.arm(now, work, lazy_updates);
            return Move::Sleep;
        }
        // Quiescence: only the service can make this execution go on.
        if foreign {
            return self.fail(unrecorded());
        }
        if work.is_none() {
            return self.fail(stuck());
        }
        match work.due {
            Some(due) if due <= now.after(self.environment.options.wait_in_process) => {
                self.arm(now, RemoteWork { due: Some(due), untimed: false }, false);
                Move::Sleep
            }
            _ => Move::End(Ok(InvocationOutput::Pending)),
        }
    }

    fn fail(&self, error: ErrorObject) -> Move {
        self.run.core().fail(Fatal::Fail(error));
        Move::Again
    }

    fn finish(&mut self) -> Move {
        let unreached =
            self.run.core().history.unclaimed().map(|operation| mismatch::unreached(operation, None));
        if let Some(error) = unreached {
            self.run.core().fail(Fatal::Diverged(error));
            return Move::Again;
        }
        match self.outcome.take() {
            Some(Outcome::Succeeded(Some(payload))) if payload.len() > limits::INVOCATION_RESULT => {
                self.outcome = Some(Outcome::Succeeded(Some(Payload::from(""))));
                if !self.result_checkpointed {
                    self.result_checkpointed = true;
                    let id = OperationId::new("execution-result");
                    let mut update =
                        OperationUpdate::new(id, OperationType::Execution, OperationAction::Succeed);
                    update.payload = Some(payload);
                    self.checkpoint(vec![update]);
                }
                Move::Again
            }
            Some(Outcome::Succeeded(result)) => Move::End(Ok(InvocationOutput::Succeeded { result })),
            Some(Outcome::Failed(error)) => {
                Move::End(Ok(InvocationOutput::Failed { error: Some(fit_error(error)) }))
            }
            None => Move::Sleep,
        }
    }

    /// Begins a checkpoint call; no updates at all ask for a refresh.
    fn checkpoint(&mut self, updates: Vec<OperationUpdate>) {
        self.alarm = None;
        let service = Arc::clone(&self.environment.service);
        let environment = self.environment.clone();
        let arn = Arc::clone(&self.run.arn);
        let request = CheckpointRequest {
            durable_execution_arn: arn.to_string(),
            checkpoint_token: self.token.clone(),
            updates,
            client_token: None,
        };
        self.call = Some(Box::pin(async move {
            let CheckpointResponse { checkpoint_token, new_execution_state } = service.checkpoint(request).await?;
            let operations = match (&checkpoint_token, new_execution_state.marker()) {
                (Some(token), Some(_)) => all_pages(&environment, &arn, token, new_execution_state).await?,
                _ => new_execution_state.operations,
            };
            Ok((checkpoint_token, operations))
        }));
    }

    /// Sets the alarm for the earliest thing that time will bring while steps run.
    fn arm(&mut self, now: Timestamp, work: RemoteWork, lazy_updates: bool) {
        let options = &self.environment.options;
        let polling = work.untimed.then(|| now.after(self.backoff));
        let refresh = match (work.due, polling) {
            (Some(due), Some(polling)) => Some(due.min(polling)),
            (due, polling) => due.or(polling),
        };
        let refresh = refresh.map(|refresh| refresh.max(self.next_refresh));
        let flush = lazy_updates.then(|| now.after(options.linger));
        let wanted = match (refresh, flush) {
            (Some(refresh), Some(flush)) if flush < refresh => Some((flush, Purpose::Flush)),
            (None, Some(flush)) => Some((flush, Purpose::Flush)),
            (Some(refresh), _) => Some((refresh, Purpose::Refresh)),
            (None, None) => None,
        };
        let Some((at, purpose)) = wanted else { return self.alarm = None };
        // An alarm that rings earlier stays: "linger" counts from the first queued update.
        if self.alarm.as_ref().is_none_or(|alarm| alarm.at > at || (alarm.purpose != purpose && alarm.at <= now)) {
            self.alarm = Some(Alarm { at, purpose, sleep: self.environment.clock.sleep_until(at) });
        }
    }

    /// Acts when the alarm rings; true when there is something to do at once.
    fn poll_alarm(&mut self, context: &mut Context<'_>) -> bool {
        if self.call.is_some() {
            return false;
        }
        let Some(alarm) = self.alarm.as_mut() else { return false };
        if alarm.sleep.as_mut().poll(context).is_pending() {
            return false;
        }
        let purpose = alarm.purpose;
        self.alarm = None;
        let updates = self.run.core().outbox.take_batch();
        if purpose == Purpose::Refresh {
            self.backoff = (self.backoff * 2).min(SLOWEST_REFRESH);
            self.next_refresh = self.environment.clock.now().after(REFRESH_DISTANCE);
        }
        self.checkpoint(updates);
        true
    }
}

enum Move {
    /// Something changed; go round again.
    Again,
    /// Nothing to do until something wakes the driver.
    Sleep,
    End(Output),
}

/// Reads the rest of a paged state.
async fn all_pages(
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
fn refused(error: &ServiceError) -> Output {
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

fn panicked(panic: &(dyn std::any::Any + Send)) -> ErrorObject {
    ErrorObject::new("WorkflowPanicked", format!("the durable execution panicked: {}", panic_message(panic)))
}

fn unrecorded() -> ErrorObject {
    ErrorObject::new(
        "UnrecordedAwait",
        "[D003] the execution waits for a future that the history doesn't know about, so it could never be \
         resumed; put it into a `#[durable_step]`, or write the `.await` outside of the macro that hides it",
    )
}

fn stuck() -> ErrorObject {
    ErrorObject::new(
        "StuckExecution",
        "[D004] the execution waits for something that will never happen: no step runs, and no wait, retry, \
         callback or invoke is open at the service; look for a future that is never woken, or a callback \
         that nobody created",
    )
}
