//! `/workflows`

use std::sync::Arc;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use super::error::{Body, HttpError, Id, json_from};
use crate::{
    host::{DecisionView, ExecutionView, ListView, Service, WorkflowView},
    ports::ListQuery,
    research::{Approval, ResearchInput, Status},
};

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;

pub(super) async fn start(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, HttpError> {
    let key = match headers.get(IDEMPOTENCY_KEY) {
        None => None,
        Some(value) => Some(idempotency_key(value.to_str().unwrap_or_default())?),
    };
    let input: ResearchInput = json_from(&body)?;
    let started = service.start(input, key).await?;
    Ok((StatusCode::ACCEPTED, Json(started)).into_response())
}

fn idempotency_key(key: &str) -> Result<String, HttpError> {
    let is_valid = (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if is_valid {
        return Ok(key.to_owned());
    }
    let expected =
        format!("Idempotency-Key: expected 1 to {LONGEST_KEY} printable characters without spaces");
    Err(HttpError::new(StatusCode::BAD_REQUEST, expected))
}

pub(super) async fn show(
    State(service): State<Arc<Service>>,
    Id(id): Id,
) -> Result<Json<WorkflowView>, HttpError> {
    Ok(Json(service.workflow(&id).await?))
}

pub(super) async fn operations(
    State(service): State<Arc<Service>>,
    Id(id): Id,
) -> Result<Json<ExecutionView>, HttpError> {
    Ok(Json(service.execution(&id).await?))
}

/// Everything is text here, so that the errors are ours.
#[derive(Deserialize)]
pub(super) struct ListParameters {
    status: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(service): State<Arc<Service>>,
    parameters: Result<Query<ListParameters>, QueryRejection>,
) -> Result<Json<ListView>, HttpError> {
    let bad = |message: String| HttpError::new(StatusCode::BAD_REQUEST, message);
    let Query(parameters) = parameters
        .map_err(|_| bad("query: expected status, limit and cursor, each at most once".to_owned()))?;
    let status = parameters.status.map(|text| text.parse::<Status>()).transpose();
    let limit = match parameters.limit.as_deref() {
        None => 0,
        Some(text) => match text.parse() {
            Ok(limit @ 1..=100) => limit,
            _ => return Err(bad("limit: expected a whole number from 1 to 100".to_owned())),
        },
    };
    let status = status.map_err(|error| bad(error.to_string()))?;
    Ok(Json(service.list(ListQuery { status, limit, cursor: parameters.cursor }).await?))
}

pub(super) async fn decide(
    State(service): State<Arc<Service>>,
    Id(id): Id,
    Body(body): Body,
) -> Result<Json<DecisionView>, HttpError> {
    let approval: Approval = json_from(&body)?;
    Ok(Json(service.decide(&id, approval).await?))
}

pub(super) async fn cancel(
    State(service): State<Arc<Service>>,
    Id(id): Id,
) -> Result<Json<WorkflowView>, HttpError> {
    Ok(Json(service.cancel(&id).await?))
}
