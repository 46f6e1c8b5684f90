//! An execution of many sequential steps: recorded once, replayed as often as one likes.
//!
//! The history is not written by hand: the workflow runs against a service that does what it is
//! told, and what that recorded is the envelope of the replay.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use durable_runtime::{
    environment::{Clock, Environment},
    prelude::*,
    protocol::{
        ExecutionDetails, ExecutionState, InvocationInput, InvocationOutput, Operation, OperationAction,
        OperationId, OperationStatus, OperationType, OperationUpdate, Payload, StepDetails,
    },
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError, StateRequest},
    workflow::SharedWorkflow,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::{Builder, Runtime};

const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:survey:1/durable-execution/survey/recorded";
const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// What each step returns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// Which one it is.
    pub number: u64,
    /// What was read.
    pub celsius: f64,
}

/// One recorded step.
#[durable_step]
pub async fn read_sensor(number: u64) -> Result<Reading, Error> {
    Ok(Reading { number, celsius: 20.5 })
}

/// `readings` steps, one after the other.
#[durable_execution]
pub async fn survey(readings: u64) -> Result<f64, Error> {
    let mut sum = 0.0;
    for number in 0..readings {
        sum += read_sensor(number).await?.celsius;
    }
    Ok(sum)
}

/// Replays recorded executions of [`survey`].
pub struct Replayer {
    workflow: SharedWorkflow,
    recorder: Arc<Recorder>,
    runtime: Runtime,
}

impl std::fmt::Debug for Replayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replayer").finish_non_exhaustive()
    }
}

impl Default for Replayer {
    fn default() -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime without I/O needs nothing");
        Self { workflow: durable_runtime::workflow(survey), recorder: Arc::default(), runtime }
    }
}

impl Replayer {
    /// Runs `steps` steps for the first time, and gives the envelope of an invocation that finds all of them
    /// done, as the text that a host receives.
    #[must_use]
    pub fn record(&self, steps: u64) -> String {
        let execution = execution(steps);
        *self.recorder.operations() = vec![execution.clone()];
        let output = self.invoke(envelope(vec![execution]));
        assert_eq!(output, expected(steps), "the first run did not finish");
        let operations = std::mem::take(&mut *self.recorder.operations());
        assert_eq!(operations.len() as u64, steps + 1, "not every step was recorded once");
        serde_json::to_string(&envelope(operations)).expect("an envelope is plain data")
    }

    /// Replays from the envelope's text.
    pub fn replay(&self, envelope: &str) -> InvocationOutput {
        self.invoke(serde_json::from_str(envelope).expect("it was written by us"))
    }

    /// Replays, and makes sure that it was a replay of `steps` steps and nothing else.
    pub fn check(&self, envelope: &str, steps: u64) {
        assert_eq!(self.replay(envelope), expected(steps), "the replay did not finish");
        assert!(self.recorder.operations().is_empty(), "the replay recorded something");
    }

    fn invoke(&self, input: InvocationInput) -> InvocationOutput {
        let environment =
            Environment::new(Arc::clone(&self.recorder) as Arc<dyn DurableService>, Arc::new(Frozen));
        self.runtime.block_on(self.workflow.invoke(input, environment)).expect("the recorder never refuses")
    }
}

/// The envelope of the first invocation of an execution of [`survey`], as text.
#[must_use]
pub fn envelope_of_start(steps: u64) -> String {
    serde_json::to_string(&envelope(vec![execution(steps)])).expect("an envelope is plain data")
}

fn execution(steps: u64) -> Operation {
    let mut execution = Operation::started(OperationId::new("recorded"), OperationType::Execution, START);
    let payload = Some(Payload::from(steps.to_string()));
    execution.execution_details = Some(ExecutionDetails { input_payload: payload });
    execution
}

fn envelope(operations: Vec<Operation>) -> InvocationInput {
    InvocationInput {
        durable_execution_arn: ARN.to_owned(),
        checkpoint_token: "token".to_owned(),
        initial_execution_state: ExecutionState { operations, next_marker: None },
        updated_operation_ids: Vec::new(),
    }
}

/// What an execution of [`survey`] answers.
#[must_use]
pub fn expected(steps: u64) -> InvocationOutput {
    let sum = steps as f64 * 20.5;
    let result = serde_json::to_string(&sum).expect("a number is plain data");
    InvocationOutput::Succeeded { result: Some(Payload::from(result)) }
}

/// A service that keeps steps and refuses nothing.
#[derive(Default)]
struct Recorder {
    operations: Mutex<Vec<Operation>>,
}

impl Recorder {
    fn operations(&self) -> MutexGuard<'_, Vec<Operation>> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sequential steps: an update concerns the newest operation, or begins the next one.
fn apply(operations: &mut Vec<Operation>, update: OperationUpdate) {
    match update.action {
        OperationAction::Start => {
            let mut started = Operation::started(update.id, update.operation_type, START);
            started.parent_id = update.parent_id;
            started.name = update.name;
            started.sub_type = update.sub_type;
            started.step_details = Some(StepDetails { attempt: Some(0), ..StepDetails::default() });
            operations.push(started);
        }
        OperationAction::Succeed => {
            let newest = operations.last_mut().filter(|newest| newest.id == update.id);
            let newest = newest.expect("a step ends after its own start and before the next one's");
            newest.status = OperationStatus::Succeeded;
            newest.end_timestamp = Some(START);
            let details = StepDetails { attempt: Some(1), result: update.payload, ..StepDetails::default() };
            newest.step_details = Some(details);
        }
        action => unreachable!("a step that succeeds at once has no {action:?}"),
    }
}

impl DurableService for Recorder {
    fn checkpoint(
        &self,
        request: CheckpointRequest,
    ) -> BoxFuture<'_, Result<CheckpointResponse, ServiceError>> {
        let mut operations = self.operations();
        for update in request.updates {
            apply(&mut operations, update);
        }
        let new_execution_state = ExecutionState::default();
        let response = CheckpointResponse { checkpoint_token: Some("token".to_owned()), new_execution_state };
        Box::pin(std::future::ready(Ok(response)))
    }

    fn execution_state(&self, _: StateRequest) -> BoxFuture<'_, Result<ExecutionState, ServiceError>> {
        Box::pin(std::future::ready(Ok(ExecutionState::default())))
    }
}

/// No time passes.
struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> Timestamp {
        START
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}
