//! Notices as executions of the callback function itself.

use aws_sdk_lambda::{operation::invoke::InvokeError, primitives::Blob, types::InvocationType};

use super::CallbackEvent;
use crate::{
    aws::{Clients, store_error},
    callback::WebhookOptions,
    ports::{BoxFuture, Notice, StoreError, Webhooks},
};

/// Which function this process is, as Lambda says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThisFunction {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Hands each notice to an execution of the function that this process is: a receiver that is down for an hour holds
/// up nobody, and costs nothing while it is waited for.
#[derive(Clone, Debug)]
pub struct SelfInvoking {
    clients: Clients,
    function: ThisFunction,
    options: WebhookOptions,
}

impl SelfInvoking {
    /// The receivers of `options`, told by executions of `function`.
    #[must_use]
    pub fn new(clients: &Clients, function: ThisFunction, options: WebhookOptions) -> Self {
        Self { clients: clients.clone(), function, options }
    }
}

impl Webhooks for SelfInvoking {
    fn announce(&self, notice: Notice) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            for job in self.options.jobs(&notice) {
                let name = job.execution_name();
                let request = self
                    .clients
                    .lambda()
                    .invoke()
                    .function_name(&self.function.name)
                    .qualifier(&self.function.version)
                    .invocation_type(InvocationType::Event)
                    .durable_execution_name(name)
                    .payload(Blob::new(serde_json::to_vec(&CallbackEvent::Webhook(job))?));
                match request.send().await {
                    Ok(_) => {}
                    Err(error)
                        if matches!(
                            error.as_service_error(),
                            Some(InvokeError::DurableExecutionAlreadyStartedException(_))
                        ) => {}
                    Err(error) => return Err(store_error("the durable execution service", error)),
                }
            }
            Ok(())
        })
    }
}
