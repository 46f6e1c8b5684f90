//! One workflow as a handler of Lambda events.

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, Service};
use tracing::Instrument as _;

use super::{Error, Event, clock::LambdaClock, service::LambdaService, shape, span};
use crate::{
    environment::{Environment, Options},
    graph::Graph,
    protocol::InvocationOutput,
    service::{BoxFuture, DurableService},
    workflow::{InvocationError, SharedWorkflow},
};

/// A workflow that Lambda can invoke. Made by [`handler`](super::handler).
///
/// A [`tower::Service`](Service), so that it also runs under a [`Runtime`] of your own, with your layers.
#[derive(Clone)]
#[must_use = "a handler serves nothing until it is run"]
pub struct Handler {
    workflow: SharedWorkflow,
    graph: Graph,
    environment: Environment,
}

impl Handler {
    pub(super) fn new(workflow: SharedWorkflow, graph: Graph) -> Self {
        let service = Arc::new(LambdaService::default());
        Self { workflow, graph, environment: Environment::new(service, Arc::new(LambdaClock)) }
    }

    /// How the driver of each invocation behaves. Default: [`Options::default`].
    pub fn with_options(mut self, options: Options) -> Self {
        self.environment.options = options;
        self
    }

    /// Calls the service with `client`. Default: a client configured from the environment, made by the first call.
    pub fn with_client(self, client: aws_sdk_lambda::Client) -> Self {
        self.with_service(Arc::new(LambdaService::with_client(client)))
    }

    /// Sends checkpoints to `service` instead of Lambda's API, for tests and proxies.
    pub fn with_service(mut self, service: Arc<dyn DurableService>) -> Self {
        self.environment.service = service;
        self
    }

    /// Serves one invocation at a time, until Lambda ends the process.
    ///
    /// # Errors
    ///
    /// The Lambda runtime API can't be reached.
    pub async fn run(self) -> Result<(), Error> {
        if shape::printed(&self.graph)? {
            return Ok(());
        }
        Runtime::new(self).layer(span::SpanLayer).run().await
    }

    /// Serves as many invocations at a time as `AWS_LAMBDA_MAX_CONCURRENCY` says, for Lambda Managed Instances;
    /// without it the same as [`run`](Self::run).
    ///
    /// # Errors
    ///
    /// The Lambda runtime API can't be reached.
    pub async fn run_concurrent(self) -> Result<(), Error> {
        if shape::printed(&self.graph)? {
            return Ok(());
        }
        Runtime::new(self).layer(span::SpanLayer).run_concurrent().await
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("workflow", &self.workflow.name()).finish_non_exhaustive()
    }
}

impl Service<LambdaEvent<Event>> for Handler {
    type Response = InvocationOutput;
    type Error = HandlerError;
    type Future = BoxFuture<'static, Result<InvocationOutput, HandlerError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HandlerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, event: LambdaEvent<Event>) -> Self::Future {
        let input = match event.payload.read() {
            Ok(input) => input,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let span = span::for_execution(&input.durable_execution_arn, &event.context);
        let mut environment = self.environment.clone();
        environment.request_id = Some(event.context.request_id.as_str().into());
        environment.trace_header = event.context.xray_trace_id.as_deref().map(Into::into);
        environment.tenant_id = event.context.tenant_id.as_deref().map(Into::into);
        let invocation = self.workflow.invoke(input, environment);
        Box::pin(async move { Ok(invocation.await?) }.instrument(span))
    }
}

/// Why an invocation has no answer: Lambda is told a function error, and invokes again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct HandlerError {
    kind: Cow<'static, str>,
    message: String,
}

impl HandlerError {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Cow::Borrowed(kind), message: message.into() }
    }

    /// What Lambda shows as `errorType`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

impl From<InvocationError> for HandlerError {
    fn from(error: InvocationError) -> Self {
        let error = error.error();
        let kind = error.kind().unwrap_or("InvocationError").to_owned();
        Self { kind: Cow::Owned(kind), message: error.message().to_owned() }
    }
}

impl From<HandlerError> for Diagnostic {
    fn from(error: HandlerError) -> Self {
        Self { error_type: error.kind.into_owned(), error_message: error.message }
    }
}
