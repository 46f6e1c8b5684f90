//! `/callbacks` and what could not be delivered.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};

use super::error::{Body, HttpError};
use crate::{
    callback::{API_KEY_HEADER, Answer, Headers, Redriven, SIGNATURE_HEADER, TIMESTAMP_HEADER},
    host::Service,
    ports::DeadLetter,
};

pub(super) async fn receive(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    body: Result<Body, HttpError>,
) -> Result<Answer, HttpError> {
    let Body(body) = body?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let headers = Headers {
        api_key: text(API_KEY_HEADER),
        signature: text(SIGNATURE_HEADER),
        timestamp: text(TIMESTAMP_HEADER),
    };
    Ok(service.receive_callback(headers, &body).await)
}

pub(super) async fn dead_letters(
    State(service): State<Arc<Service>>,
) -> Result<Json<Vec<DeadLetter>>, HttpError> {
    Ok(Json(service.dead_letters().await?))
}

pub(super) async fn redrive(State(service): State<Arc<Service>>) -> Result<Json<Redriven>, HttpError> {
    service.redrive().await.map(Json).map_err(|fault| {
        tracing::error!(%fault, "dead letters can't be redriven");
        HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed to read the dead letters")
    })
}
