//! The durable execution service: AWS Lambda.

use aws_sdk_lambda::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::invoke::InvokeError,
    primitives::Blob,
    types::{ErrorObject as LambdaError, Event, Execution, ExecutionStatus, InvocationType},
};
use durable_runtime::protocol::ErrorObject;

use super::{
    Clients, Table,
    error::{described, store_error},
    item::Key,
};
use crate::{
    ports::{BoxFuture, DeliveryFailure, Executions, StoreError, WorkflowId},
    research::Job,
};

const WHAT: &str = "the durable execution service";
/// Events of one page of a history.
const PAGE: i32 = 1000;

/// Executions of the research function, and callbacks of any.
#[derive(Clone, Debug)]
pub struct LambdaExecutions {
    clients: Clients,
    table: Table,
    function: Option<Function>,
}

/// A function's name or ARN, and its qualifier apart. Lambda runs durable functions only with one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Function {
    name: String,
    qualifier: String,
}

impl Function {
    fn parse(text: &str) -> Self {
        // `arn:aws:lambda:region:account:function:name` has six colons before any qualifier.
        let colons = if text.starts_with("arn:") { 6 } else { 0 };
        let (name, qualifier) = match text.match_indices(':').nth(colons) {
            Some((at, _)) => text.split_at(at),
            None => (text, ""),
        };
        let qualifier = qualifier.trim_start_matches(':');
        let qualifier = if qualifier.is_empty() { "$LATEST" } else { qualifier };
        Self { name: name.to_owned(), qualifier: qualifier.to_owned() }
    }
}

/// How a callback was completed, to be compared with how it is to be completed now.
#[derive(Debug, PartialEq)]
enum Completion {
    Succeeded(String),
    Failed(LambdaError),
}

impl LambdaExecutions {
    /// Executions of `function`, with its qualifier; `table` says which workflow a token belongs to.
    #[must_use]
    pub fn new(clients: &Clients, table: Table, function: Option<String>) -> Self {
        Self { clients: clients.clone(), table, function: function.as_deref().map(Function::parse) }
    }

    pub(crate) fn lambda(&self) -> &Client {
        self.clients.lambda()
    }

    fn function(&self) -> Result<&Function, StoreError> {
        self.function.as_ref().ok_or_else(|| StoreError::Refused {
            what: WHAT,
            detail: "RESEARCH_FUNCTION does not say which function runs the workflows".to_owned(),
        })
    }

    async fn start_once(&self, job: &Job) -> Result<(), StoreError> {
        let function = self.function()?;
        let request = self
            .lambda()
            .invoke()
            .function_name(&function.name)
            .qualifier(&function.qualifier)
            .invocation_type(InvocationType::Event)
            .durable_execution_name(job.workflow_id.as_str())
            .payload(Blob::new(serde_json::to_vec(job)?));
        let error = match request.send().await {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        match error.as_service_error() {
            // Lambda compares inputs byte by byte; an earlier version of this program may have written it otherwise.
            Some(InvokeError::DurableExecutionAlreadyStartedException(_)) => Ok(()),
            _ => Err(store_error(WHAT, error)),
        }
    }

    /// The execution that has the workflow's id as its name.
    pub(crate) async fn execution(&self, id: &WorkflowId) -> Result<Option<Execution>, StoreError> {
        // Executions of any version of the function: an alias may have moved on since.
        let request = self
            .lambda()
            .list_durable_executions_by_function()
            .function_name(&self.function()?.name)
            .durable_execution_name(id.as_str());
        let mut marker = None;
        loop {
            let page = request.clone().set_marker(marker).send().await;
            let page = page.map_err(|error| store_error(WHAT, error))?;
            // The filter may be one for prefixes.
            let found = page
                .durable_executions
                .unwrap_or_default()
                .into_iter()
                .find(|execution| execution.durable_execution_name == id.as_str());
            marker = page.next_marker.filter(|_| found.is_none());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn stop_execution(&self, id: &WorkflowId) -> Result<(), StoreError> {
        let Some(execution) = self.execution(id).await? else { return Ok(()) };
        if execution.status != ExecutionStatus::Running {
            return Ok(());
        }
        let error = LambdaError::builder()
            .error_type("Cancelled")
            .error_message("the workflow was cancelled")
            .build();
        let request = self
            .lambda()
            .stop_durable_execution()
            .durable_execution_arn(&execution.durable_execution_arn)
            .error(error);
        match request.send().await {
            Ok(_) => Ok(()),
            // It ended in the meantime, long enough ago to be forgotten.
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(()),
            Err(error) => Err(store_error(WHAT, error)),
        }
    }

    async fn end_of(&self, id: &WorkflowId) -> Result<Option<String>, StoreError> {
        let Some(execution) = self.execution(id).await? else { return Ok(None) };
        if execution.status == ExecutionStatus::Running {
            return Ok(None);
        }
        let request = self
            .lambda()
            .get_durable_execution()
            .durable_execution_arn(&execution.durable_execution_arn)
            .include_execution_data(true);
        let details = request.send().await.map_err(|error| store_error(WHAT, error))?;
        let message = details.error.and_then(|error| error.error_message);
        Ok(Some(message.unwrap_or_else(|| format!("the execution is {}", execution.status.as_str()))))
    }

    /// Tells a callback that was completed in the very same way before from one that is closed.
    ///
    /// An answer may be lost after the service took the callback, and Lambda answers the next attempt like one that
    /// comes too late. What the execution has on record tells them apart.
    async fn closed(&self, callback_id: &str, wanted: &Completion) -> DeliveryFailure {
        match self.completion(callback_id).await {
            Ok(Some(recorded)) if recorded == *wanted => DeliveryFailure::Repeated,
            Ok(_) => DeliveryFailure::Closed,
            Err(error) => DeliveryFailure::Unavailable(error.to_string()),
        }
    }

    /// How a callback was completed, as far as that can be known.
    async fn completion(&self, callback_id: &str) -> Result<Option<Completion>, StoreError> {
        if self.function.is_none() {
            return Ok(None);
        }
        let Some(route) = self.table.get(&Key::route(callback_id)).await? else { return Ok(None) };
        let id = WorkflowId::named(route.text("workflow_id")?);
        let Some(execution) = self.execution(&id).await? else { return Ok(None) };
        let request = self
            .lambda()
            .get_durable_execution_history()
            .durable_execution_arn(&execution.durable_execution_arn)
            .include_execution_data(true)
            .max_items(PAGE);
        let (mut marker, mut operation) = (None, None);
        loop {
            let page = match request.clone().set_marker(marker).send().await {
                Ok(page) => page,
                Err(error) if error.code() == Some("ResourceNotFoundException") => return Ok(None),
                Err(error) => return Err(store_error(WHAT, error)),
            };
            for event in page.events {
                if callback_of(&event) == Some(callback_id) {
                    operation = event.id;
                } else if operation.is_some()
                    && event.id == operation
                    && let Some(completion) = completion_in(event)
                {
                    return Ok(Some(completion));
                }
            }
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(None);
            }
        }
    }
}

impl Executions for LambdaExecutions {
    fn start(&self, job: Job) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.start_once(&job).await })
    }

    fn stop(&self, id: WorkflowId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.stop_execution(&id).await })
    }

    fn ended(&self, id: WorkflowId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async move { self.end_of(&id).await })
    }

    fn succeed(&self, callback_id: String, result: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            let request = self
                .lambda()
                .send_durable_execution_callback_success()
                .callback_id(&callback_id)
                .result(Blob::new(result.clone().into_bytes()));
            match request.send().await {
                Ok(_) => Ok(()),
                Err(error) => match refused(error) {
                    DeliveryFailure::Closed => {
                        Err(self.closed(&callback_id, &Completion::Succeeded(result)).await)
                    }
                    other => Err(other),
                },
            }
        })
    }

    fn fail(&self, callback_id: String, error: ErrorObject) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            let error = lambda_error(error);
            let request = self
                .lambda()
                .send_durable_execution_callback_failure()
                .callback_id(&callback_id)
                .error(error.clone());
            match request.send().await {
                Ok(_) => Ok(()),
                Err(refusal) => match refused(refusal) {
                    DeliveryFailure::Closed => {
                        Err(self.closed(&callback_id, &Completion::Failed(error)).await)
                    }
                    other => Err(other),
                },
            }
        })
    }

    fn heartbeat(&self, callback_id: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            let request = self.lambda().send_durable_execution_callback_heartbeat().callback_id(callback_id);
            request.send().await.map_err(refused)?;
            Ok(())
        })
    }
}

/// What an answer other than success means. A token comes from outside, and one that the service can't even read
/// belongs to no callback. Everything else passes or is repaired by an operator: such a callback is worth keeping.
fn refused<E>(error: SdkError<E>) -> DeliveryFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error.code() {
        Some("CallbackTimeoutException") => DeliveryFailure::Closed,
        Some("ResourceNotFoundException" | "InvalidParameterValueException" | "ValidationException") => {
            DeliveryFailure::Unknown
        }
        _ => DeliveryFailure::Unavailable(described(&error)),
    }
}

fn callback_of(event: &Event) -> Option<&str> {
    Some(event.callback_started_details.as_ref()?.callback_id.as_str())
}

fn completion_in(event: Event) -> Option<Completion> {
    if let Some(succeeded) = event.callback_succeeded_details {
        let result = succeeded.result.and_then(|result| result.payload);
        return Some(Completion::Succeeded(result.unwrap_or_default()));
    }
    event.callback_failed_details?.error?.payload.map(Completion::Failed)
}

fn lambda_error(error: ErrorObject) -> LambdaError {
    LambdaError::builder()
        .set_error_type(error.error_type)
        .set_error_message(error.error_message)
        .set_error_data(error.error_data)
        .set_stack_trace(error.stack_trace)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_qualifier_is_told_from_the_colons_of_an_arn() {
        let arn = "arn:aws:lambda:eu-west-1:123456789012:function:research";
        for (text, name, qualifier) in [
            ("research", "research", "$LATEST"),
            ("research:", "research", "$LATEST"),
            ("research:live", "research", "live"),
            ("research:$LATEST", "research", "$LATEST"),
            (arn, arn, "$LATEST"),
            (format!("{arn}:7").as_str(), arn, "7"),
        ] {
            let expected = Function { name: name.to_owned(), qualifier: qualifier.to_owned() };
            assert_eq!(Function::parse(text), expected);
        }
    }
}
