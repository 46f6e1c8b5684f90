//! The durable execution API: REST outside, the engine's rules inside, and faults where a test wants them.

use std::{collections::VecDeque, sync::Mutex};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use durable_runtime::{
    protocol::OperationUpdate,
    service::{CheckpointRequest, DurableService as _, ServiceError, StateRequest},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cloud::Shared;

/// What goes wrong with the next call.
#[derive(Clone)]
pub(crate) enum Fault {
    /// It is refused.
    Refusal { status: u16, code: &'static str, message: &'static str },
    /// It is carried out, but its answer is lost.
    LostAnswer,
}

/// One call as it came in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Checkpoint { token: String, client_token: String, updates: Vec<OperationUpdate> },
    State { marker: String },
}

#[derive(Default)]
pub(crate) struct Api {
    pub(crate) checkpoint_faults: Mutex<VecDeque<Fault>>,
    pub(crate) state_faults: Mutex<VecDeque<Fault>>,
    /// Every request, the SDK's repetitions included.
    pub(crate) calls: Mutex<Vec<Call>>,
}

impl Api {
    fn take(&self, call: Call) -> Option<Fault> {
        let faults = match call {
            Call::Checkpoint { .. } => &self.checkpoint_faults,
            Call::State { .. } => &self.state_faults,
        };
        let fault = faults.lock().unwrap().pop_front();
        self.calls.lock().unwrap().push(call);
        fault
    }
}

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/2025-12-01/durable-executions/{arn}/checkpoint", post(checkpoint))
        .route("/2025-12-01/durable-executions/{arn}/state", get(state))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CheckpointBody {
    checkpoint_token: String,
    #[serde(default)]
    updates: Vec<OperationUpdate>,
    client_token: String,
}

async fn checkpoint(
    State(cloud): State<Shared>,
    Path(arn): Path<String>,
    headers: HeaderMap,
    Json(body): Json<CheckpointBody>,
) -> Response {
    assert_signed(&headers);
    let fault = cloud.api.take(Call::Checkpoint {
        token: body.checkpoint_token.clone(),
        client_token: body.client_token.clone(),
        updates: body.updates.clone(),
    });
    if let Some(Fault::Refusal { status, code, message }) = fault {
        return refusal(status, code, message);
    }
    let request = CheckpointRequest {
        durable_execution_arn: arn,
        checkpoint_token: body.checkpoint_token,
        updates: body.updates,
        client_token: Some(body.client_token),
    };
    match cloud.engine().checkpoint(request).await {
        Ok(_) if matches!(fault, Some(Fault::LostAnswer)) => refusal(500, "ServiceException", "lost"),
        Ok(response) => {
            let mut answer = json!({
                "NewExecutionState": in_seconds(serde_json::to_value(response.new_execution_state).unwrap()),
                "NewMember": { "of": ["a", "later", "version"] },
            });
            if let Some(token) = response.checkpoint_token {
                answer["CheckpointToken"] = token.into();
            }
            Json(answer).into_response()
        }
        Err(error) => refused(&error),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StateQuery {
    checkpoint_token: String,
    marker: String,
    max_items: u32,
}

async fn state(
    State(cloud): State<Shared>,
    Path(arn): Path<String>,
    headers: HeaderMap,
    Query(query): Query<StateQuery>,
) -> Response {
    assert_signed(&headers);
    assert_eq!(query.max_items, 1000);
    if let Some(Fault::Refusal { status, code, message }) =
        cloud.api.take(Call::State { marker: query.marker.clone() })
    {
        return refusal(status, code, message);
    }
    let request = StateRequest {
        durable_execution_arn: arn,
        checkpoint_token: query.checkpoint_token,
        marker: query.marker,
    };
    match cloud.engine().execution_state(request).await {
        Ok(page) => Json(in_seconds(serde_json::to_value(page).unwrap())).into_response(),
        Err(error) => refused(&error),
    }
}

fn assert_signed(headers: &HeaderMap) {
    let signature = headers["authorization"].to_str().unwrap();
    assert!(signature.contains("/us-west-2/lambda/aws4_request"), "{signature}");
}

fn refused(error: &ServiceError) -> Response {
    let status = if error.code == "ServiceException" { 500 } else { 400 };
    refusal(status, &error.code, &error.message)
}

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let headers = [("x-amzn-errortype", code.to_owned())];
    let body = Json(json!({ "Type": "User", "message": message }));
    (StatusCode::from_u16(status).unwrap(), headers, body).into_response()
}

/// REST has timestamps as seconds with a fraction, where our own types have milliseconds.
fn in_seconds(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(in_seconds).collect(),
        Value::Object(members) => {
            let convert = |(name, member): (String, Value)| match member.as_f64() {
                Some(millis) if name.ends_with("Timestamp") => (name, json!(millis / 1000.0)),
                _ => (name, in_seconds(member)),
            };
            members.into_iter().map(convert).collect()
        }
        other => other,
    }
}
