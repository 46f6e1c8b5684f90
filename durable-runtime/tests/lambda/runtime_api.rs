//! The Lambda runtime API: hands out invocations, takes their answers.

use std::{collections::HashMap, sync::Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{AppendHeaders, IntoResponse},
    routing::{get, post},
};
use durable_runtime::{
    environment::Environment,
    protocol::{InvocationInput, InvocationOutput},
    service::BoxFuture,
    workflow::{InvocationError, Workflow},
};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::cloud::Shared;

/// What Lambda takes as an answer: 6 MiB and a little for the envelope around it.
const RESPONSE_LIMIT: usize = 6 * 1024 * 1024 + 100;

pub(crate) type Answer = Result<Value, Value>;

/// Invocations on their way to the function and back.
pub(crate) struct Invocations {
    sender: mpsc::UnboundedSender<(String, String)>,
    queue: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, String)>>,
    running: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    /// How many ran at the same time, at most.
    pub(crate) peak: Mutex<usize>,
    /// Every answer, in order: the member tells a response from an error.
    pub(crate) answers: Mutex<Vec<Answer>>,
}

impl Default for Invocations {
    fn default() -> Self {
        let (sender, queue) = mpsc::unbounded_channel();
        Self {
            sender,
            queue: tokio::sync::Mutex::new(queue),
            running: Mutex::default(),
            peak: Mutex::default(),
            answers: Mutex::default(),
        }
    }
}

impl Invocations {
    /// Invokes the function with `event` and waits for its answer.
    pub(crate) async fn invoke(&self, request_id: String, event: String) -> Answer {
        let (sender, answer) = oneshot::channel();
        self.running.lock().unwrap().insert(request_id.clone(), sender);
        self.sender.send((request_id, event)).unwrap();
        answer.await.expect("the function answers")
    }

    fn answer(&self, request_id: &str, answer: Answer) {
        self.answers.lock().unwrap().push(answer.clone());
        let sender = self.running.lock().unwrap().remove(request_id).expect("an invocation that runs");
        // The engine may have given up on it.
        let _ = sender.send(answer);
    }
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{request}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{request}/error", post(error))
}

async fn next(State(cloud): State<Shared>) -> impl IntoResponse {
    let invocations = &cloud.invocations;
    let (request_id, event) = invocations.queue.lock().await.recv().await.unwrap();
    let running = invocations.running.lock().unwrap().len();
    let mut peak = invocations.peak.lock().unwrap();
    *peak = running.max(*peak);
    let headers = AppendHeaders([
        ("lambda-runtime-aws-request-id", request_id),
        ("lambda-runtime-deadline-ms", "4102444800000".to_owned()),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:local:000000000000:function:f".to_owned()),
    ]);
    (headers, event)
}

async fn response(State(cloud): State<Shared>, Path(request): Path<String>, body: Bytes) -> StatusCode {
    if body.len() > RESPONSE_LIMIT {
        let error =
            serde_json::json!({ "errorType": "Function.ResponseSizeTooLarge", "errorMessage": "too large" });
        cloud.invocations.answer(&request, Err(error));
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    cloud.invocations.answer(&request, Ok(serde_json::from_slice(&body).unwrap()));
    StatusCode::ACCEPTED
}

async fn error(State(cloud): State<Shared>, Path(request): Path<String>, body: Bytes) -> StatusCode {
    cloud.invocations.answer(&request, Err(serde_json::from_slice(&body).unwrap()));
    StatusCode::ACCEPTED
}

/// The function as the engine sees it: a workflow whose invocations run in the child process.
pub(crate) struct Remote {
    pub(crate) name: &'static str,
    pub(crate) cloud: Shared,
}

impl Workflow for Remote {
    fn name(&self) -> &str {
        self.name
    }

    fn invoke(
        &self,
        input: InvocationInput,
        _: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let cloud = self.cloud.clone();
        Box::pin(async move {
            let event = serde_json::to_string(&input).unwrap();
            match cloud.invocations.invoke(input.checkpoint_token, event).await {
                Ok(output) => Ok(serde_json::from_value(output).unwrap()),
                Err(error) => {
                    let text = |member: &str| error[member].as_str().unwrap().to_owned();
                    Err(InvocationError::of_kind(text("errorType"), text("errorMessage")))
                }
            }
        })
    }
}
