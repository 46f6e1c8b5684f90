//! The Lambda Runtime API, as one process speaks it: a listener of its own for each process, because
//! `AWS_LAMBDA_RUNTIME_API` has room for a host and a port only.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    routing::{get, post},
};
use durable_runtime::protocol::{ErrorObject, limits};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{
    Call, failure, function_arn,
    output::{Output, Owner},
};

/// Bytes of a function's answer.
const MAX_RESPONSE: usize = limits::EXECUTION_PAYLOAD;
/// Bytes that are read at all, to refuse larger ones in words.
const MAX_BODY: usize = 2 * MAX_RESPONSE;

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
    function: String,
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
        function: String,
        timeout: Duration,
        output: Arc<Output>,
        assignments: mpsc::Receiver<Assignment>,
    ) -> Arc<Self> {
        Arc::new(Self {
            function,
            timeout,
            output,
            assignments: tokio::sync::Mutex::new(assignments),
            current: Mutex::default(),
            init_error: Mutex::default(),
        })
    }

    pub(super) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{request_id}/response", post(respond))
            .route("/2018-06-01/runtime/invocation/{request_id}/error", post(report_error))
            .route("/2018-06-01/runtime/init/error", post(report_init_error))
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::clone(self))
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
}

async fn next(State(api): State<Arc<RuntimeApi>>) -> Response<Body> {
    let mut assignments = api.assignments.lock().await;
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
        api.output.hand_to(owner).await;
        *api.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Current { request_id, reply });
        return invocation(&api, call);
    }
}

fn invocation(api: &RuntimeApi, call: Call) -> Response<Body> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let trace = Uuid::new_v4().simple().to_string();
    let trace = format!(
        "Root=1-{:08x}-{};Parent={};Sampled=0",
        since_epoch.as_secs(),
        trace.get(..24).unwrap_or_default(),
        trace.get(16..).unwrap_or_default()
    );
    let deadline = (since_epoch + api.timeout).as_millis().to_string();
    let mut response = Response::new(Body::from(call.payload));
    let headers = response.headers_mut();
    let mut insert = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    insert("content-type", "application/json");
    insert("lambda-runtime-aws-request-id", &call.request_id.to_string());
    insert("lambda-runtime-deadline-ms", &deadline);
    insert("lambda-runtime-invoked-function-arn", &function_arn(&api.function));
    insert("lambda-runtime-trace-id", &trace);
    if let Some(context) = &call.client_context {
        insert("lambda-runtime-client-context", context);
    }
    if let Some(tenant) = &call.tenant {
        insert("lambda-runtime-aws-tenant-id", tenant);
    }
    response
}

async fn respond(
    State(api): State<Arc<RuntimeApi>>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> Response<Body> {
    if body.len() > MAX_RESPONSE {
        let message =
            format!("Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes).");
        let error = ErrorObject::new("Function.ResponseSizeTooLarge", message.clone());
        let completed = api.complete(&request_id, Err(error));
        return if completed.status().is_success() {
            refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
        } else {
            completed
        };
    }
    api.complete(&request_id, Ok(body))
}

async fn report_error(
    State(api): State<Arc<RuntimeApi>>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    api.complete(&request_id, Err(failure::reported(&body, error_type(&headers))))
}

async fn report_init_error(
    State(api): State<Arc<RuntimeApi>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let error = failure::reported(&body, error_type(&headers));
    *api.init_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    accepted()
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
