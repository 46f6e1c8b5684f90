//! The HTTP face: the workflow API, the callback endpoint, signed artifact links. Thin: each handler reads
//! the request, asks the [`Service`], and words the answer.

mod artifacts;
mod callbacks;
mod client;
mod error;
mod workflows;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    response::IntoResponse,
    routing::{get, post},
};

pub use client::{ApiClient, ApiError};
pub use error::HttpError;

use crate::host::Service;

/// The largest callback, as at the gateway in the cloud.
pub const MAX_CALLBACK_BYTES: usize = 10 * 1024 * 1024;
/// The largest request to the workflow API.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// All routes. Serve them on a loopback address only: the workflow API itself asks nobody who they are.
/// `/health` names the `instance`.
pub fn router(service: Arc<Service>, instance: &str) -> Router {
    let health = serde_json::json!({ "status": "ok", "instance": instance });
    Router::new()
        .route("/workflows", post(workflows::start).get(workflows::list))
        .route("/workflows/{id}", get(workflows::show).delete(workflows::cancel))
        .route("/workflows/{id}/approval", post(workflows::decide))
        .route("/workflows/{id}/operations", get(workflows::operations))
        .route("/dead-letters", get(callbacks::dead_letters))
        .route("/dead-letters/redrive", post(callbacks::redrive))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .route("/callbacks", post(callbacks::receive).layer(DefaultBodyLimit::max(MAX_CALLBACK_BYTES)))
        .route("/artifacts/{*key}", get(artifacts::read))
        .route("/health", get(|| async { axum::Json(health) }))
        .fallback(|| async {
            HttpError::new(StatusCode::NOT_FOUND, "there is nothing at this path").into_response()
        })
        .method_not_allowed_fallback(|| async {
            HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not know the method")
                .into_response()
        })
        .layer(axum::middleware::from_fn(error::only_local_callers))
        .with_state(service)
}
