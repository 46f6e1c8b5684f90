//! One replay: today's code against recorded operations, until it asks for something that is not recorded.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use durable_runtime::{
    StepInfo,
    environment::{Clock, DivergencePolicy, Environment, Options},
    intercept::{Fake, Interceptor, StepInterceptor},
    plugin::{OperationInfo, Plugin},
    protocol::{
        ErrorObject, ExecutionState, InvocationInput, InvocationOutput, Operation, OperationId, Timestamp,
    },
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError, StateRequest},
    workflow::SharedWorkflow,
};

use crate::clock::virtual_time;

/// What a replay showed.
#[derive(Debug)]
pub(super) struct Facts {
    /// The recorded operations that the code asked for, in its order.
    pub(super) claimed: Vec<OperationId>,
    /// The operations that the code asked for and that are not recorded, in its order.
    pub(super) asked: Vec<OperationInfo>,
    pub(super) end: End,
}

/// How a replay ended.
#[derive(Debug)]
pub(super) enum End {
    /// The function returned.
    Returned(Result<Option<String>, ErrorObject>),
    /// The code waits for something that is recorded and has not ended.
    Waiting,
    /// The code wants to do something that is not recorded.
    Beyond,
}

impl Facts {
    /// The error that ended the replay, if one did.
    pub(super) fn error(&self) -> Option<&ErrorObject> {
        match &self.end {
            End::Returned(Err(error)) => Some(error),
            _ => None,
        }
    }
}

/// What replays are made with.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) workflow: SharedWorkflow,
    pub(super) arn: String,
    pub(super) options: Options,
    /// What time it is.
    pub(super) now: Timestamp,
}

impl Code {
    /// Replays `operations`. Nothing outside happens: no body of a step begins, no call is answered.
    pub(super) fn replay(&self, operations: Vec<Operation>) -> Facts {
        // On a thread of its own, because the caller may be inside a runtime.
        let ended =
            std::thread::scope(|scope| scope.spawn(|| virtual_time(self.clone().run(operations))).join());
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn run(self, operations: Vec<Operation>) -> Facts {
        let seen = Arc::new(Seen::default());
        let mut options = self.options.plugin(Watch(Arc::clone(&seen)));
        options.on_divergence = DivergencePolicy::Fail;
        options.interceptor = Some(Interceptor::new(Arc::new(NoBodies)));
        let mut environment = Environment::new(Arc::new(Silent), Arc::new(Standing(self.now)));
        environment.options = options;
        let input = InvocationInput {
            durable_execution_arn: self.arn,
            checkpoint_token: "replay".to_owned(),
            // Plugins hear of an operation that has ended only when it ended since the last invocation.
            updated_operation_ids: operations.iter().map(|operation| operation.id.clone()).collect(),
            initial_execution_state: ExecutionState { operations, next_marker: None },
        };
        let invocation = self.workflow.invoke(input, environment);
        let output = tokio::select! {
            output = invocation => Some(output),
            // Time passes when nothing else can happen.
            () = tokio::time::sleep(Duration::from_millis(1)) => None,
        };
        let end = match output {
            Some(Ok(InvocationOutput::Succeeded { result })) => {
                End::Returned(Ok(result.map(|result| result.as_str().to_owned())))
            }
            Some(Ok(InvocationOutput::Failed { error })) => End::Returned(Err(error.unwrap_or_default())),
            Some(Err(error)) => End::Returned(Err(error.error().clone())),
            Some(Ok(InvocationOutput::Pending)) => End::Waiting,
            None => End::Beyond,
        };
        let mut seen = seen.lock();
        Facts { claimed: std::mem::take(&mut seen.claimed), asked: std::mem::take(&mut seen.asked), end }
    }
}

#[derive(Default)]
struct Seen(Mutex<SeenOperations>);

#[derive(Default)]
struct SeenOperations {
    claimed: Vec<OperationId>,
    asked: Vec<OperationInfo>,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, SeenOperations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn claim(&self, operation: &OperationInfo) {
        let mut seen = self.lock();
        if !seen.claimed.contains(&operation.id) {
            seen.claimed.push(operation.id.clone());
        }
    }
}

struct Watch(Arc<Seen>);

impl Plugin for Watch {
    fn operation_started(&self, operation: &OperationInfo) {
        if operation.is_replay {
            self.0.claim(operation);
        } else {
            self.0.lock().asked.push(operation.clone());
        }
    }

    fn operation_ended(&self, operation: &OperationInfo) {
        self.0.claim(operation);
    }
}

/// Lets no body begin.
struct NoBodies;

impl StepInterceptor for NoBodies {
    fn before(&self, _: &StepInfo) -> Option<BoxFuture<'static, Option<Fake>>> {
        Some(Box::pin(std::future::pending()))
    }
}

/// Answers nothing.
struct Silent;

impl DurableService for Silent {
    fn checkpoint(&self, _: CheckpointRequest) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        Box::pin(std::future::pending())
    }

    fn execution_state(&self, _: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        Box::pin(std::future::pending())
    }
}

/// A clock that stands still.
struct Standing(Timestamp);

impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}
