//! Runs one invocation: polls the body, flushes batches, suspends or finishes.
//!
//! The driver is the only owner of the token and of every call; an operation's future owns nothing that must
//! survive its drop. Suspension is decided here, at quiescence: nothing runnable, no step body running, no
//! update queued or in flight.

mod alarm;
mod invocation;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use self::{
    alarm::{Alarm, FIRST_REFRESH},
    invocation::{all_pages, refused},
};
use crate::{
    codec::Outcome,
    core::{Fatal, RemoteWork, mismatch, outbox::escaped_len},
    environment::{DivergencePolicy, Environment},
    operations::{attempt::panic_message, settle::fit_error},
    payloads::Payloads,
    protocol::{
        ErrorObject, InvocationOutput, Operation, OperationAction, OperationId, OperationType,
        OperationUpdate, Payload, Timestamp, limits,
    },
    scope::Run,
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, ServiceError},
    task::DriverWake,
    workflow::InvocationError,
};

pub(crate) use invocation::{Begin, drive};

/// What the body of an execution is given and gives.
pub(crate) type RootBody = BoxFuture<'static, Result<Outcome, ErrorObject>>;

/// How often a body that keeps waking itself is polled before the executor gets its turn.
const POLLS_IN_A_ROW: usize = 32;

type Call = BoxFuture<'static, Result<Answer, ServiceError>>;

/// What a call has brought.
#[derive(Default)]
struct Answer {
    token: Option<String>,
    operations: Vec<Operation>,
    /// What stands for the execution's result, which is kept elsewhere.
    result: Option<Payload>,
}

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
    environment: Environment,
    wake: Arc<DriverWake>,
    run: Arc<Run>,
}

type Output = Result<InvocationOutput, InvocationError>;

impl Driver {
    fn new(
        body: RootBody,
        token: String,
        environment: Environment,
        wake: Arc<DriverWake>,
        run: Arc<Run>,
    ) -> Self {
        Self {
            body: Some(body),
            token,
            call: None,
            alarm: None,
            backoff: FIRST_REFRESH,
            next_refresh: Timestamp::default(),
            outcome: None,
            environment,
            wake,
            run,
        }
    }

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
            Ok(Answer { token, operations, result }) => {
                if let Some(result) = result {
                    self.outcome = Some(Outcome::Succeeded(Some(result)));
                }
                // Without a new token the last one stays valid, as after the call that ends the execution.
                if let Some(token) = token.filter(|token| !token.is_empty()) {
                    self.token = token;
                }
                let watched = !self.run.plugins().is_empty();
                let mut core = self.run.core();
                let described =
                    if watched { self.run.describe_changes(&core, &operations) } else { Vec::new() };
                core.absorb(operations);
                core.acknowledge();
                drop(core);
                if watched {
                    self.run.announce_changes(&described);
                }
                None
            }
            Err(error) => Some(refused(&error)),
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
        let mut core = self.run.core();
        if !core.effects_allowed() {
            // Nobody knows yet whether the code still matches the history: what it asked for is not written.
            core.outbox.discard();
        }
        let unsent = !core.outbox.is_empty();
        drop(core);
        match fatal {
            Fatal::Diverged(error) => {
                self.run.core().outbox.discard();
                Some(match self.environment.options.on_divergence {
                    DivergencePolicy::Fail => Ok(InvocationOutput::Failed { error: Some(error) }),
                    DivergencePolicy::RetryInvocation => Err(error.into()),
                })
            }
            Fatal::Fail(_) if self.call.is_some() || unsent => None,
            Fatal::Fail(error) => Some(Ok(InvocationOutput::Failed { error: Some(fit_error(error)) })),
        }
    }

    /// What to do now that the body is at rest and no call is in flight.
    fn next_move(&mut self) -> Move {
        let ended = self.body.is_none();
        let mut core = self.run.core();
        if !core.effects_allowed() && core.fatal().is_none() {
            let unreached =
                core.history.unclaimed().map(|operation| mismatch::unreached(operation, core.outbox.first()));
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
            Some(Outcome::Succeeded(Some(payload))) if payload.len() > limits::EXECUTION_PAYLOAD => {
                match self.environment.options.payloads.clone() {
                    Some(payloads) => self.stow_result(payloads, payload),
                    None => self.fail(result_too_large(payload.len())),
                }
            }
            // The answer carries it as a JSON string, which escaping makes longer.
            Some(Outcome::Succeeded(Some(payload))) if escaped_len(&payload) > limits::INVOCATION_RESULT => {
                // What is left for the answer fits, so this happens once.
                self.outcome = Some(Outcome::Succeeded(Some(Payload::from(""))));
                let id = OperationId::new("execution-result");
                let mut update = OperationUpdate::new(id, OperationType::Execution, OperationAction::Succeed);
                update.payload = Some(payload);
                self.checkpoint(vec![update]);
                Move::Again
            }
            Some(Outcome::Succeeded(result)) => Move::End(Ok(InvocationOutput::Succeeded { result })),
            Some(Outcome::Failed(error)) => {
                Move::End(Ok(InvocationOutput::Failed { error: Some(fit_error(error)) }))
            }
            None => Move::Sleep,
        }
    }

    /// Keeps the result elsewhere; the execution returns a reference to it.
    fn stow_result(&mut self, payloads: Payloads, result: Payload) -> Move {
        let arn = Arc::clone(&self.run.arn);
        self.call = Some(Box::pin(async move {
            let result = Some(payloads.stow_result(&arn, result).await?);
            Ok(Answer { result, ..Answer::default() })
        }));
        Move::Again
    }

    /// Begins a checkpoint call; no updates at all ask for a refresh.
    fn checkpoint(&mut self, updates: Vec<OperationUpdate>) {
        self.alarm = None;
        let service = Arc::clone(&self.environment.service);
        let environment = self.environment.clone();
        let arn = Arc::clone(&self.run.arn);
        let mut request = CheckpointRequest {
            durable_execution_arn: arn.to_string(),
            checkpoint_token: self.token.clone(),
            updates,
            client_token: None,
        };
        self.call = Some(Box::pin(async move {
            let payloads = environment.options.payloads.as_ref();
            if let Some(payloads) = payloads {
                payloads.stow_updates(&arn, &mut request.updates).await?;
            }
            let CheckpointResponse { checkpoint_token, new_execution_state } =
                service.checkpoint(request).await?;
            let operations = match (&checkpoint_token, new_execution_state.marker()) {
                (Some(token), Some(_)) => all_pages(&environment, &arn, token, new_execution_state).await?,
                _ => {
                    let mut operations = new_execution_state.operations;
                    if let Some(payloads) = payloads {
                        payloads.restore(&mut operations).await?;
                    }
                    operations
                }
            };
            Ok(Answer { token: checkpoint_token, operations, result: None })
        }));
    }
}

enum Move {
    /// Something changed; go round again.
    Again,
    /// Nothing to do until something wakes the driver.
    Sleep,
    End(Output),
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> ErrorObject {
    ErrorObject::new("WorkflowPanicked", format!("the durable execution panicked: {}", panic_message(panic)))
}

fn result_too_large(bytes: usize) -> ErrorObject {
    ErrorObject::new(
        "PayloadTooLarge",
        format!(
            "the result of the execution takes {bytes} bytes, and the service stores at most {}; \
             return a reference to where the data is kept",
            limits::EXECUTION_PAYLOAD
        ),
    )
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
