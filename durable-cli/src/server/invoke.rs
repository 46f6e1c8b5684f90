//! Invoke: starts executions of durable functions, calls plain ones.

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, Response, StatusCode},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use durable_engine::{ExecutionStatus, ExecutionSummary, StartOptions, service::function_of_reference};
use durable_runtime::protocol::{ErrorObject, Payload};
use serde_json::json;
use uuid::Uuid;

use super::{
    Service,
    error::{ApiError, Exception},
    request::ApiRequest,
    view::{VERSION, object},
};
use crate::{
    host::{Function, HostedFunction, PlainCall},
    trace,
};

/// Bytes of an event that is invoked without waiting for it.
const MAX_EVENT_PAYLOAD: usize = 1024 * 1024;
/// Bytes of the log that `X-Amz-Log-Type: Tail` asks for.
const LOG_TAIL: usize = 4096;

const TRACE_HEADER: &str = "X-Amzn-Trace-Id";

const EXECUTION_ARN: HeaderName = HeaderName::from_static("x-amz-durable-execution-arn");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");

#[derive(Clone, Copy, PartialEq, Eq)]
enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

impl Service {
    pub(super) async fn invoke(
        &self,
        reference: &str,
        request: &ApiRequest,
    ) -> Result<Response<Body>, ApiError> {
        let name = function_of_reference(reference);
        let function = self.functions.get(name).ok_or_else(|| self.unknown_function(name))?;
        let invocation_type = invocation_type(request)?;
        let payload = payload(request, invocation_type)?;
        if function.is_durable() && !is_qualified(reference, request) {
            return Err(ApiError::invalid(format!(
                "You cannot invoke a durable function using an unqualified ARN; \
                 invoke '{name}:$LATEST', or give the qualifier $LATEST."
            )));
        }
        match function {
            _ if invocation_type == InvocationType::DryRun => {
                Ok(answer(StatusCode::NO_CONTENT, Body::empty()))
            }
            Function::Hosted(function) if !function.is_durable() => {
                self.invoke_plain(function, request, payload, invocation_type).await
            }
            _ => self.invoke_durable(name, function, request, payload, invocation_type).await,
        }
    }

    async fn invoke_durable(
        &self,
        name: &str,
        function: &Function,
        request: &ApiRequest,
        payload: Bytes,
        invocation_type: InvocationType,
    ) -> Result<Response<Body>, ApiError> {
        let input = String::from_utf8(payload.into())
            .map_err(|error| ApiError::new(Exception::InvalidRequestContent, error.to_string()))?;
        let options = StartOptions {
            name: request.header("X-Amz-Durable-Execution-Name")?.map(Into::into),
            tenant: tenant(request)?,
            timeout: function.execution_timeout(),
            trace_header: match function {
                // Whoever embeds the server decides about traces.
                Function::InProcess => trace::header(request.header(TRACE_HEADER)?),
                Function::Hosted(_) => Some(trace::header_or_new(request.header(TRACE_HEADER)?)),
            },
            eager: false,
        };
        let with_log = log_type(request)?;
        let _waiting = match invocation_type {
            InvocationType::Event => None,
            _ => Some(self.waiting.try_acquire().map_err(|_| too_many())?),
        };
        let started = self.engine.start_raw(name, options, Payload::from(input)).await?;
        let mut response = if invocation_type == InvocationType::Event {
            answer(StatusCode::ACCEPTED, Body::empty())
        } else {
            let ended = self.engine.wait_for_end(&started.arn).await?;
            let mut response = ended_response(&ended);
            if with_log {
                let lines = self.logs.read(&ended.id).await;
                insert(&mut response, LOG_RESULT, &log_tail(lines.iter().map(|line| line.text.as_str())));
            }
            response
        };
        insert(&mut response, EXECUTION_ARN, &started.arn);
        Ok(response)
    }

    async fn invoke_plain(
        &self,
        function: &HostedFunction,
        request: &ApiRequest,
        payload: Bytes,
        invocation_type: InvocationType,
    ) -> Result<Response<Body>, ApiError> {
        let call = PlainCall {
            request_id: Uuid::new_v4(),
            payload,
            client_context: client_context(request)?,
            tenant: tenant(request)?,
            trace_header: trace::header_or_new(request.header(TRACE_HEADER)?),
        };
        if invocation_type == InvocationType::Event {
            self.events.accept(function.clone(), call).await?;
            return Ok(answer(StatusCode::ACCEPTED, Body::empty()));
        }
        if !function.has_capacity() {
            return Err(too_many());
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| too_many())?;
        // A task of its own: the function runs to its end although nobody waits for it any more.
        let function = function.clone();
        let called = self.runtime.spawn(async move { function.call_plain(call).await }).await;
        Ok(match called {
            Ok(Ok(body)) => answer(StatusCode::OK, Body::from(body)),
            Ok(Err(error)) => failed_response(Some(&error)),
            Err(_) => return Err(ApiError::new(Exception::Service, "the server is stopping")),
        })
    }
}

fn invocation_type(request: &ApiRequest) -> Result<InvocationType, ApiError> {
    match request.header("X-Amz-Invocation-Type")? {
        None | Some("RequestResponse") => Ok(InvocationType::RequestResponse),
        Some("Event") => Ok(InvocationType::Event),
        Some("DryRun") => Ok(InvocationType::DryRun),
        Some(other) => Err(ApiError::invalid(format!(
            "X-Amz-Invocation-Type is RequestResponse, Event or DryRun, not '{other}'"
        ))),
    }
}

fn log_type(request: &ApiRequest) -> Result<bool, ApiError> {
    match request.header("X-Amz-Log-Type")? {
        None | Some("None") => Ok(false),
        Some("Tail") => Ok(true),
        Some(other) => Err(ApiError::invalid(format!("X-Amz-Log-Type is None or Tail, not '{other}'"))),
    }
}

fn tenant(request: &ApiRequest) -> Result<Option<String>, ApiError> {
    let Some(tenant) = request.header("X-Amz-Tenant-Id")? else { return Ok(None) };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/=+-@ ".contains(&byte);
    if tenant.len() > 256 || !tenant.bytes().all(allowed) {
        return Err(ApiError::invalid("X-Amz-Tenant-Id is 1 to 256 letters, digits, spaces and ._:/=+-@"));
    }
    Ok(Some(tenant.to_owned()))
}

/// The client context, decoded: functions get it as JSON.
fn client_context(request: &ApiRequest) -> Result<Option<String>, ApiError> {
    let Some(encoded) = request.header("X-Amz-Client-Context")? else { return Ok(None) };
    let invalid =
        || ApiError::invalid("X-Amz-Client-Context is at most 3583 characters of a JSON object in base64");
    let decoded = BASE64_STANDARD.decode(encoded).map_err(|_| invalid())?;
    let context: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&decoded).map_err(|_| invalid())?;
    if encoded.len() > 3583 {
        return Err(invalid());
    }
    // On one line, so that it fits a header.
    Ok(Some(serde_json::Value::Object(context).to_string()))
}

fn too_many() -> ApiError {
    ApiError::new(Exception::TooManyRequests, "Rate Exceeded.")
}

/// The payload, which is JSON; `{}` when there is none, as functions expect an event.
fn payload(request: &ApiRequest, invocation_type: InvocationType) -> Result<Bytes, ApiError> {
    let limit = match invocation_type {
        InvocationType::Event => MAX_EVENT_PAYLOAD,
        _ => durable_runtime::protocol::limits::EXECUTION_PAYLOAD,
    };
    if request.body.len() > limit {
        let message = format!(
            "Request must be smaller than {limit} bytes for this invocation type; this one has {} bytes",
            request.body.len()
        );
        return Err(ApiError::new(Exception::RequestTooLarge, message));
    }
    if request.body.trim_ascii().is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(&request.body) {
        Ok(_) => Ok(request.body.clone()),
        Err(error) => Err(ApiError::new(
            Exception::InvalidRequestContent,
            format!("Could not parse request body into json: {error}"),
        )),
    }
}

fn is_qualified(reference: &str, request: &ApiRequest) -> bool {
    let after_name = reference.rsplit_once("function:").map_or(reference, |(_, rest)| rest);
    request.query.get("Qualifier").is_some() || after_name.contains(':')
}

fn ended_response(ended: &ExecutionSummary) -> Response<Body> {
    match ended.status {
        ExecutionStatus::Succeeded => {
            let result = ended.result.as_deref().filter(|result| !result.is_empty()).unwrap_or("null");
            answer(StatusCode::OK, Body::from(result.to_owned()))
        }
        _ => failed_response(ended.error.as_ref()),
    }
}

/// A failure as runtimes report it: status 200, a header, and the error in the runtimes' own form.
fn failed_response(error: Option<&ErrorObject>) -> Response<Body> {
    let none = ErrorObject::default();
    let error = error.unwrap_or(&none);
    let body = object([
        ("errorMessage", Some(json!(error.message()))),
        ("errorType", Some(json!(error.kind().unwrap_or("Error")))),
        ("stackTrace", error.stack_trace.as_ref().map(|trace| json!(trace))),
    ]);
    let mut response = answer(StatusCode::OK, Body::from(body.to_string()));
    insert(&mut response, FUNCTION_ERROR, "Unhandled");
    response
}

fn answer(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    insert(&mut response, axum::http::header::CONTENT_TYPE, "application/json");
    insert(&mut response, EXECUTED_VERSION, VERSION);
    response
}

fn insert(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn log_tail<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    let bytes = text.as_bytes();
    BASE64_STANDARD.encode(bytes.get(bytes.len().saturating_sub(LOG_TAIL)..).unwrap_or_default())
}
