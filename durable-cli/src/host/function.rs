//! One hosted function: a workflow to the engine, a call to Invoke.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::body::Bytes;
use durable_engine::service::ExecutionArn;
use durable_runtime::{
    environment::Environment,
    protocol::{ErrorObject, InvocationInput, InvocationOutput, Payload, limits},
    service::BoxFuture,
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use uuid::Uuid;

use super::{
    Call,
    envelope::read_output,
    failure,
    pool::{Pool, ProcessSettings},
    remote::Remote,
    runtime_api::Reply,
    watch::{self, Watcher},
};
use crate::{
    config::{ConfigError, FunctionConfig, Target},
    logs::LogStore,
    server::EventRetry,
    trace,
};

/// A function that runs in processes of its own or behind an endpoint. A clone is another handle.
#[derive(Clone)]
pub(crate) struct HostedFunction(Arc<Inner>);

struct Inner {
    name: String,
    durable: bool,
    execution_timeout: Option<Duration>,
    event_retry: EventRetry,
    host: Host,
    build: Option<String>,
    watched: Vec<PathBuf>,
    watcher: OnceLock<Watcher>,
}

enum Host {
    Processes(Arc<Pool>),
    Endpoint(Remote),
}

/// A call of a function that is not durable.
#[derive(Debug)]
pub(crate) struct PlainCall {
    /// The same one for every attempt of an event.
    pub(crate) request_id: Uuid,
    pub(crate) payload: Bytes,
    pub(crate) client_context: Option<String>,
    pub(crate) tenant: Option<String>,
    pub(crate) trace_header: String,
}

/// What the server is to its functions.
pub(crate) struct Surroundings {
    /// Where the REST API is.
    pub(crate) endpoint: SocketAddr,
    pub(crate) region: String,
    pub(crate) logs: LogStore,
}

impl HostedFunction {
    pub(crate) fn new(
        name: &str,
        config: &FunctionConfig,
        surroundings: Surroundings,
    ) -> Result<Self, ConfigError> {
        let mut watched = config.watch.clone();
        let host = match config.target(name)? {
            Target::Http(url) => Host::Endpoint(Remote::new(url, config.timeout, config.concurrency)),
            Target::Process { program, arguments } => {
                let directory = absolute(config.directory.as_deref().unwrap_or(Path::new(".")));
                let program = program_path(&directory, &program);
                if watched.is_empty() && program.is_absolute() {
                    watched.push(program.clone());
                }
                let settings = ProcessSettings {
                    name: name.to_owned(),
                    program,
                    arguments,
                    directory,
                    handler: config.handler.clone().unwrap_or_else(|| name.to_owned()),
                    memory: config.memory,
                    timeout: config.timeout,
                    idle_timeout: config.idle_timeout,
                    environment: config.environment.clone(),
                    endpoint: surroundings.endpoint,
                    region: surroundings.region,
                };
                Host::Processes(Pool::new(settings, config.concurrency, surroundings.logs))
            }
        };
        Ok(Self(Arc::new(Inner {
            name: name.to_owned(),
            durable: config.durable,
            execution_timeout: config.execution_timeout,
            event_retry: EventRetry { retries: config.event_retries, first_delay: config.event_retry_delay },
            host,
            build: config.build.clone(),
            watched,
            watcher: OnceLock::new(),
        })))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn is_durable(&self) -> bool {
        self.0.durable
    }

    pub(crate) fn execution_timeout(&self) -> Option<Duration> {
        self.0.execution_timeout
    }

    /// How often a plain function is called again for an event that it failed.
    pub(crate) fn event_retry(&self) -> EventRetry {
        self.0.event_retry
    }

    pub(crate) fn host(&self) -> String {
        match &self.0.host {
            Host::Processes(pool) => {
                let program = pool.settings.program.display().to_string();
                std::iter::once(&program)
                    .chain(&pool.settings.arguments)
                    .cloned()
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            Host::Endpoint(remote) => remote.url.to_string(),
        }
    }

    /// False when an invocation would have to wait for another one to end.
    pub(crate) fn has_capacity(&self) -> bool {
        match &self.0.host {
            Host::Processes(pool) => pool.has_capacity(),
            Host::Endpoint(remote) => remote.has_capacity(),
        }
    }

    /// The function as the engine runs it. A plain one is run as an execution without operations: that is what
    /// a chained invoke of it is.
    pub(crate) fn workflow(&self) -> SharedWorkflow {
        Arc::new(self.clone())
    }

    /// Calls a plain function once, without an execution.
    pub(crate) async fn call_plain(&self, call: PlainCall) -> Reply {
        let PlainCall { request_id, payload, client_context, tenant, trace_header } = call;
        self.call(Call { request_id, payload, execution: None, client_context, tenant, trace_header }).await
    }

    /// Rebuilds and restarts the function when its files change, from now on.
    pub(crate) fn watch(&self) -> Result<(), notify::Error> {
        if let Host::Processes(pool) = &self.0.host {
            let watcher = watch::start(Arc::clone(pool), self.0.build.clone(), self.0.watched.clone())?;
            // A second call changes nothing: the first watcher goes on.
            let _ = self.0.watcher.set(watcher);
        }
        Ok(())
    }

    pub(crate) async fn stop(&self) {
        if let Host::Processes(pool) = &self.0.host {
            pool.stop().await;
        }
    }

    async fn call(&self, call: Call) -> Reply {
        match &self.0.host {
            Host::Processes(pool) => pool.call(call).await,
            Host::Endpoint(remote) => remote.call(call).await,
        }
    }

    async fn invoke_durable(
        &self,
        invocation: Invocation,
        input: InvocationInput,
    ) -> Result<InvocationOutput, ErrorObject> {
        let payload = serde_json::to_vec(&input).map_err(|error| {
            ErrorObject::new("ServiceException", format!("the envelope can't be written: {error}"))
        })?;
        let answer = self.call(call_of(invocation, &input, payload.into())).await?;
        read_output(&answer).map_err(|invalid| match &self.0.host {
            // The emulator in a container reports errors of its function as if they were answers.
            Host::Endpoint(_) if is_error_report(&answer) => failure::reported(&answer, None),
            _ => invalid,
        })
    }

    async fn invoke_plain(&self, invocation: Invocation, input: InvocationInput) -> InvocationOutput {
        let execution = input.initial_execution_state.operations.first();
        let details = execution.and_then(|operation| operation.execution_details.as_ref());
        let payload = details.and_then(|details| details.input_payload.as_deref()).unwrap_or("{}");
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        let failed = |error| InvocationOutput::Failed { error: Some(error) };
        match self.call(call_of(invocation, &input, payload)).await {
            Ok(answer) if answer.len() > limits::INVOCATION_RESULT => failed(ErrorObject::new(
                "Function.ResponseSizeTooLarge",
                format!("Response payload size exceeded {} bytes.", limits::INVOCATION_RESULT),
            )),
            Ok(answer) => match String::from_utf8(answer.into()) {
                Ok(result) => InvocationOutput::Succeeded { result: Some(Payload::from(result)) },
                Err(error) => failed(ErrorObject::new("Runtime.InvalidResponse", error.to_string())),
            },
            Err(error) => failed(error),
        }
    }
}

impl Workflow for HostedFunction {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let function = self.clone();
        let request_id = environment.request_id.as_deref().and_then(|id| Uuid::try_parse(id).ok());
        let invocation = Invocation {
            request_id: request_id.unwrap_or_else(Uuid::new_v4),
            tenant: environment.tenant_id.as_deref().map(Into::into),
            // Executions have one unless somebody else's engine or an earlier version has started them.
            trace_header: trace::header_or_new(environment.trace_header.as_deref()),
        };
        Box::pin(async move {
            if function.is_durable() {
                function.invoke_durable(invocation, input).await.map_err(InvocationError::from)
            } else {
                Ok(function.invoke_plain(invocation, input).await)
            }
        })
    }
}

/// What the engine says of an invocation besides its input.
struct Invocation {
    /// The engine's own, so that the function logs what the history shows.
    request_id: Uuid,
    tenant: Option<String>,
    trace_header: String,
}

fn call_of(invocation: Invocation, input: &InvocationInput, payload: Bytes) -> Call {
    let execution = ExecutionArn::parse(&input.durable_execution_arn).map(|arn| arn.id.to_owned());
    let Invocation { request_id, tenant, trace_header } = invocation;
    Call { request_id, payload, execution, client_context: None, tenant, trace_header }
}

fn is_error_report(answer: &[u8]) -> bool {
    let report: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(answer);
    report.is_ok_and(|report| report.contains_key("errorMessage") || report.contains_key("errorType"))
}

fn absolute(path: &Path) -> PathBuf {
    // Fails only without a current directory, and then the process won't start either.
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// A program with a directory in its name is found from the function's directory, another one on the `PATH`.
fn program_path(directory: &Path, program: &str) -> PathBuf {
    if program.contains('/') { directory.join(program) } else { PathBuf::from(program) }
}
