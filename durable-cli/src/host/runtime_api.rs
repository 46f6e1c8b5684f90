//! The Lambda Runtime API, as one process speaks it: a listener of its own for each process, because
//! `AWS_LAMBDA_RUNTIME_API` has room for a host and a port only.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header},
};
use durable_runtime::protocol::{ErrorObject, limits};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::{
    Call, failure,
    output::{Output, Owner},
};
use crate::http::{BodyError, Guard, read_body};

/// The version in all paths.
const VERSION: &str = "2018-06-01";
/// Bytes of a function's answer.
const MAX_RESPONSE: usize = limits::EXECUTION_PAYLOAD;
/// Bytes of the report of an error.
const MAX_ERROR: usize = limits::OPERATION_PAYLOAD;
/// How long an answer may take on its way.
const PATIENCE: Duration = Duration::from_secs(60);

/// An invocation on its way to the process.
pub(super) struct Assignment {
    pub(super) call: Call,
    /// Told when the process takes it: from then on its time runs.
    pub(super) taken: oneshot::Sender<()>,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// What a function answered, or its error.
pub(super) type Reply = Result<Bytes, ErrorObject>;

pub(super) struct RuntimeApi {
    function_arn: String,
    timeout: Duration,
    output: Arc<Output>,
    assignments: tokio::sync::Mutex<mpsc::Receiver<Assignment>>,
    current: Mutex<Option<Current>>,
    /// Filled by a runtime that could not start its function.
    init_error: Mutex<Option<ErrorObject>>,
}

struct Current {
    request_id: String,
    reply: oneshot::Sender<Reply>,
}

impl RuntimeApi {
    pub(super) fn new(
        function_arn: String,
        timeout: Duration,
        output: Arc<Output>,
        assignments: mpsc::Receiver<Assignment>,
    ) -> Arc<Self> {
        Arc::new(Self {
            function_arn,
            timeout,
            output,
            assignments: tokio::sync::Mutex::new(assignments),
            current: Mutex::default(),
            init_error: Mutex::default(),
        })
    }

    /// Answers a request; never fails.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        // A page that guessed the port must not take an invocation away.
        if let Err(reason) = Guard::default().check(&request) {
            return refusal(StatusCode::FORBIDDEN, "AccessDenied", &reason);
        }
        let (parts, body) = request.into_parts();
        let (get, post) = (parts.method == Method::GET, parts.method == Method::POST);
        let segments: Vec<&str> = parts.uri.path().split('/').collect();
        match segments.as_slice() {
            ["", VERSION, "runtime", "invocation", "next"] if get => self.next().await,
            ["", VERSION, "runtime", "invocation", request_id, "response"] if post => {
                self.respond(request_id, body).await
            }
            ["", VERSION, "runtime", "invocation", request_id, "error"] if post => {
                match read_body(body, MAX_ERROR, PATIENCE).await {
                    Ok(body) => {
                        self.complete(request_id, Err(failure::reported(&body, error_type(&parts.headers))))
                    }
                    Err(error) => unreadable(&error, MAX_ERROR),
                }
            }
            ["", VERSION, "runtime", "init", "error"] if post => {
                match read_body(body, MAX_ERROR, PATIENCE).await {
                    Ok(body) => self.init_failed(failure::reported(&body, error_type(&parts.headers))),
                    Err(error) => unreadable(&error, MAX_ERROR),
                }
            }
            _ => refusal(
                StatusCode::NOT_FOUND,
                "UnknownOperation",
                "this is none of the Runtime API's operations; they begin with /2018-06-01/runtime/",
            ),
        }
    }

    /// Why the runtime could not start its function, if it said so.
    pub(super) fn init_error(&self) -> Option<ErrorObject> {
        self.init_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn complete(&self, request_id: &str, reply: Reply) -> Response<Body> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match current.take_if(|current| current.request_id == request_id) {
            Some(current) => {
                // Nobody waits any more: the invocation was given up.
                let _ = current.reply.send(reply);
                accepted()
            }
            None => refusal(
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                &format!("{request_id} is not the request that this process was given last"),
            ),
        }
    }

    async fn next(&self) -> Response<Body> {
        let mut assignments = self.assignments.lock().await;
        loop {
            let Some(assignment) = assignments.recv().await else {
                return refusal(StatusCode::GONE, "Shutdown", "this process gets no further invocations");
            };
            let Assignment { call, taken, reply } = assignment;
            if taken.send(()).is_err() {
                // Given up while it waited.
                continue;
            }
            let request_id = call.request_id.to_string();
            let owner = Owner { execution: call.execution.clone(), request_id: request_id.clone() };
            self.output.hand_to(owner).await;
            *self.current.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Current { request_id, reply });
            return invocation(self, call);
        }
    }

    async fn respond(&self, request_id: &str, body: Body) -> Response<Body> {
        match read_body(body, MAX_RESPONSE, PATIENCE).await {
            Ok(body) => self.complete(request_id, Ok(body)),
            Err(BodyError::TooLarge) => {
                let message = format!(
                    "Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
                );
                let error = ErrorObject::new("Function.ResponseSizeTooLarge", message.clone());
                let completed = self.complete(request_id, Err(error));
                if completed.status().is_success() {
                    refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
                } else {
                    completed
                }
            }
            Err(error) => unreadable(&error, MAX_RESPONSE),
        }
    }

    fn init_failed(&self, error: ErrorObject) -> Response<Body> {
        *self.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        accepted()
    }
}

fn invocation(api: &RuntimeApi, call: Call) -> Response<Body> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let deadline = (since_epoch + api.timeout).as_millis().to_string();
    let mut response = Response::new(Body::from(call.payload));
    let headers = response.headers_mut();
    let mut insert = |name: &'static str, value: &str| {
        // Bytes: JSON in a header may have other characters than ASCII's.
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            headers.insert(name, value);
        }
    };
    insert("content-type", "application/json");
    insert("lambda-runtime-aws-request-id", &call.request_id.to_string());
    insert("lambda-runtime-deadline-ms", &deadline);
    insert("lambda-runtime-invoked-function-arn", &api.function_arn);
    insert("lambda-runtime-trace-id", &call.trace_header);
    if let Some(context) = &call.client_context {
        insert("lambda-runtime-client-context", context);
    }
    if let Some(tenant) = &call.tenant {
        insert("lambda-runtime-aws-tenant-id", tenant);
    }
    response
}

fn unreadable(error: &BodyError, limit: usize) -> Response<Body> {
    match error {
        BodyError::TooLarge => refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("the body has more than {limit} bytes"),
        ),
        BodyError::TooSlow => {
            refusal(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", "the body did not come in time")
        }
        BodyError::Broken => {
            refusal(StatusCode::BAD_REQUEST, "InvalidRequest", "the body ended before its end")
        }
    }
}

fn error_type(headers: &HeaderMap) -> Option<&str> {
    headers.get("lambda-runtime-function-error-type")?.to_str().ok()
}

fn accepted() -> Response<Body> {
    json_response(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Response<Body> {
    json_response(status, &json!({ "errorType": kind, "errorMessage": message }))
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
