//! The durable execution service on one machine: the embedded engine.

use std::{collections::HashMap, sync::Arc};

use durable_engine::{
    CallbackError, CallbackOutcome, Engine, EngineError, HistoryPage, PrefetchedCallback, StartOptions,
    service::EventType,
};
use durable_runtime::protocol::{ErrorObject, Operation, OperationId, OperationType, Payload};
use serde::Serialize;
use serde_json::Value;

use super::deliveries::{Deliveries, ExpectedDelivery};
use crate::{
    callback::{CALLBACK_HANDLER, CallbackFault, DELIVERY, Kind, Request},
    host::{OperationView, Recorded, Recorder},
    ports::{BoxFuture, DeliveryFailure, Executions, StoreError, WorkflowId},
    research::{Job, RESEARCH_WORKFLOW},
};

/// The engine as these applications use it.
#[derive(Clone, Debug)]
pub struct EngineExecutions {
    engine: Engine,
    deliveries: Arc<Deliveries>,
}

/// Why the engine did not do something.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// The engine said so.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// What it holds, or what it was to be given, is not what this program writes.
    #[error("an execution's data does not fit: {0}")]
    Data(#[from] serde_json::Error),
    /// The execution ended without an outcome of its own.
    #[error("the execution ended without an answer: {0}")]
    Ended(String),
}

impl From<ExecutionError> for StoreError {
    fn from(error: ExecutionError) -> Self {
        Self::Unavailable { what: "the durable execution service", detail: error.to_string() }
    }
}

impl EngineExecutions {
    /// Executions of `engine`.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, deliveries: Arc::default() }
    }

    /// Starts a research workflow, once for each id.
    pub(crate) async fn start_research(&self, job: &Job) -> Result<(), ExecutionError> {
        self.start(RESEARCH_WORKFLOW, StartOptions::named(job.workflow_id.as_str()), job).await?;
        Ok(())
    }

    /// Stops a research workflow; one that has ended or was never started is none.
    pub(crate) async fn stop_research(&self, id: &WorkflowId) -> Result<(), ExecutionError> {
        let error = ErrorObject::new("Cancelled", "the workflow was cancelled");
        match self.engine.stop(id.as_str(), Some(error)).await {
            Ok(_) | Err(EngineError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts the callback handler on one request; the execution's ARN. Meanwhile whoever waits for the callback is
    /// fetched, and stays in memory as long as the answer does.
    pub(crate) async fn start_callback(
        &self,
        request: &Request,
    ) -> Result<(String, PrefetchedCallback), ExecutionError> {
        let name = format!("callback-{}", request.request_id);
        // Its sender sends it again until it is answered, and storing it twice is storing it once.
        let options = StartOptions { eager: true, ..StartOptions::named(name) };
        let start = self.start(CALLBACK_HANDLER, options, request);
        let (started, prefetched) =
            tokio::join!(start, self.engine.prefetch_callback(&request.message.token));
        Ok((started?, prefetched))
    }

    /// What the sender of a callback is told: known as soon as it is stored and delivered, while the handler still
    /// takes notes of that.
    pub(crate) async fn callback_taken(
        &self,
        arn: &str,
    ) -> Result<Result<Kind, CallbackFault>, ExecutionError> {
        let (result, error) = match self.engine.wait_for_operation(arn, DELIVERY).await? {
            Some(delivery) => {
                let details = delivery.context_details.unwrap_or_default();
                (details.result, details.error)
            }
            // There was nothing to deliver.
            None => {
                let ended = self.engine.wait_for_end(arn).await?;
                (ended.result, ended.error)
            }
        };
        if let Some(result) = result {
            return Ok(Ok(serde_json::from_str(&result)?));
        }
        let error = error.unwrap_or_default();
        match error.error_data.as_deref().map(serde_json::from_str) {
            Some(Ok(fault)) => Ok(Err(fault)),
            _ => Err(ExecutionError::Ended(error.to_string())),
        }
    }

    /// Expects the delivery of a callback: what is told of it is durable, but not on record with the handler yet,
    /// which would deliver it again after a crash and find that it was.
    pub(crate) fn expect_delivery(&self, callback_id: &str, result: &Value) -> ExpectedDelivery {
        self.deliveries.expect(callback_id, result.to_string())
    }

    /// Waits until an execution has ended, however it does.
    pub(crate) async fn ended(&self, arn: &str) {
        // Only an engine that stops can't say, and what it does not say now it does after its next start.
        let _ = self.engine.wait_for_end(arn).await;
    }

    /// Why the execution of a workflow ended, when it did so with anything but a result.
    pub(crate) async fn ended_badly(&self, id: &WorkflowId) -> Result<Option<String>, ExecutionError> {
        match self.engine.get(id.as_str()).await {
            Ok(execution) if execution.status.is_terminal() => {
                let reason = execution.error.map(|error| error.message().to_owned());
                Ok(Some(reason.unwrap_or_else(|| format!("the execution is {}", execution.status))))
            }
            Ok(_) | Err(EngineError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is recorded of a workflow's execution; nothing when it was never started.
    async fn recorded(&self, id: &WorkflowId) -> Result<Recorded, ExecutionError> {
        let execution = match self.engine.get(id.as_str()).await {
            Ok(execution) => execution,
            Err(EngineError::NotFound { .. }) => return Ok(Recorded::default()),
            Err(error) => return Err(error.into()),
        };
        let history = self.engine.history(&execution.arn, HistoryPage::all()).await?;
        let ended =
            history.events.iter().filter(|event| event.event_type == EventType::InvocationCompleted).count();
        let operations = self.engine.operations(&execution.arn).await?;
        Ok(Recorded {
            operations: views(&operations),
            invocations: ended + usize::from(execution.is_invoking),
        })
    }

    async fn start<T: Serialize>(
        &self,
        function: &str,
        options: StartOptions,
        input: &T,
    ) -> Result<String, ExecutionError> {
        let input = Payload::from(serde_json::to_string(input)?);
        let started = self.engine.start_raw(function, options, input).await?;
        Ok(started.arn)
    }
}

impl Recorder for EngineExecutions {
    fn recorded(&self, id: WorkflowId) -> BoxFuture<'_, Result<Recorded, StoreError>> {
        Box::pin(async move { Ok(Self::recorded(self, &id).await?) })
    }
}

impl Executions for EngineExecutions {
    fn start(&self, job: Job) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { Ok(self.start_research(&job).await?) })
    }

    fn stop(&self, id: WorkflowId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { Ok(self.stop_research(&id).await?) })
    }

    fn ended(&self, id: WorkflowId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async move { Ok(self.ended_badly(&id).await?) })
    }

    fn succeed(&self, callback_id: String, result: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            let result = Payload::from(result);
            let outcome = CallbackOutcome::Succeeded(Some(result.clone()));
            delivered(self.engine.succeed_callback(&callback_id, Some(result.clone())).await, &outcome)?;
            self.deliveries.tell(&callback_id, &result);
            Ok(())
        })
    }

    fn fail(&self, callback_id: String, error: ErrorObject) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            let outcome = CallbackOutcome::Failed(Some(error.clone()));
            delivered(self.engine.fail_callback(&callback_id, Some(error)).await, &outcome)
        })
    }

    fn heartbeat(&self, callback_id: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            match self.engine.heartbeat_callback(&callback_id).await {
                Ok(()) => Ok(()),
                Err(error) => Err(failure(error)),
            }
        })
    }
}

fn delivered(sent: Result<(), CallbackError>, outcome: &CallbackOutcome) -> Result<(), DeliveryFailure> {
    match sent {
        Ok(()) => Ok(()),
        Err(CallbackError::Closed { outcome: before, .. }) if before == *outcome => {
            Err(DeliveryFailure::Repeated)
        }
        Err(error) => Err(failure(error)),
    }
}

fn failure(error: CallbackError) -> DeliveryFailure {
    match error {
        CallbackError::Unknown { .. } => DeliveryFailure::Unknown,
        CallbackError::Closed { .. }
        | CallbackError::TimedOut { .. }
        | CallbackError::ExecutionEnded { .. } => DeliveryFailure::Closed,
        other => DeliveryFailure::Unavailable(other.to_string()),
    }
}

/// The operations without the execution itself.
fn views(operations: &[Operation]) -> Vec<OperationView> {
    let parents: HashMap<&OperationId, Option<&OperationId>> =
        operations.iter().map(|operation| (&operation.id, operation.parent_id.as_ref())).collect();
    let depth = |operation: &Operation| {
        std::iter::successors(operation.parent_id.as_ref(), |id| parents.get(*id).copied().flatten()).count()
    };
    operations
        .iter()
        .filter(|operation| operation.operation_type != OperationType::Execution)
        .map(|operation| view(operation, depth(operation)))
        .collect()
}

fn view(operation: &Operation, depth: usize) -> OperationView {
    let step = operation.step_details.as_ref();
    let error = None
        .or(step.and_then(|details| details.error.as_ref()))
        .or(operation.callback_details.as_ref().and_then(|details| details.error.as_ref()))
        .or(operation.context_details.as_ref().and_then(|details| details.error.as_ref()));
    let is_open = !operation.status.is_terminal();
    OperationView {
        name: operation
            .name
            .as_ref()
            .map_or_else(|| operation.operation_type.to_string(), ToString::to_string),
        kind: operation.operation_type,
        status: operation.status,
        depth,
        // The service counts finished attempts while a step is open.
        attempts: step.map(|details| {
            details.attempt.unwrap_or(0) + u32::from(is_open && details.next_attempt_timestamp.is_none())
        }),
        started_at: operation.start_timestamp,
        ended_at: operation.end_timestamp,
        due_at: step
            .and_then(|details| details.next_attempt_timestamp)
            .or(operation.wait_details.as_ref().and_then(|details| details.scheduled_end_timestamp))
            .filter(|_| is_open),
        error: error.map(|error| crate::error::sanitised(error.message())),
    }
}
