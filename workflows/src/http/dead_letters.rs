//! `/dead-letters`: callbacks that could not be delivered.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use super::error::HttpError;
use crate::{callback::Redriven, host::Service, ports::DeadLetter};

pub(super) async fn list(State(service): State<Arc<Service>>) -> Result<Json<Vec<DeadLetter>>, HttpError> {
    Ok(Json(service.dead_letters().await?))
}

pub(super) async fn redrive(State(service): State<Arc<Service>>) -> Result<Json<Redriven>, HttpError> {
    service.redrive().await.map(Json).map_err(|fault| {
        tracing::error!(%fault, "dead letters can't be redriven");
        HttpError::new(StatusCode::INTERNAL_SERVER_ERROR, "Failed to read the dead letters")
    })
}
