//! The HTTP face: the workflow API, the callback endpoint, signed artifact links. Thin: each handler reads
//! the request, asks the [`Service`], and words the answer.
//!
//! [`workflow_api`] is the part that also runs as a Lambda function.

mod artifacts;
mod callbacks;
mod client;
mod dead_letters;
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

use crate::{
    callback::MAX_CALLBACK_BYTES,
    host::{CallbackIntake, Service},
    local::ArtifactDirectory,
};

/// The largest request to the workflow API.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// The workflow API and the dead letters. It asks nobody who they are: whoever serves it has to.
pub fn workflow_api(service: Arc<Service>) -> Router {
    let routes = Router::new()
        .route("/workflows", post(workflows::start).get(workflows::list))
        .route("/workflows/{id}", get(workflows::show).delete(workflows::cancel))
        .route("/workflows/{id}/approval", post(workflows::decide))
        .route("/workflows/{id}/operations", get(workflows::operations))
        .route("/dead-letters", get(dead_letters::list))
        .route("/dead-letters/redrive", post(dead_letters::redrive))
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(service);
    with_our_errors(routes)
}

/// What the server of one machine answers with.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The workflow API.
    pub service: Arc<Service>,
    /// `/callbacks`
    pub callbacks: Arc<CallbackIntake>,
    /// `/artifacts`
    pub artifacts: Arc<ArtifactDirectory>,
}

/// All routes of one machine. Serve them on a loopback address only. `/health` names the `instance`.
pub fn router(parts: Parts, instance: &str) -> Router {
    let health = serde_json::json!({ "status": "ok", "instance": instance });
    let callbacks = Router::new()
        .route("/callbacks", post(callbacks::receive).layer(DefaultBodyLimit::max(MAX_CALLBACK_BYTES)))
        .with_state(parts.callbacks);
    let artifacts =
        Router::new().route("/artifacts/{*key}", get(artifacts::read)).with_state(parts.artifacts);
    let routes = workflow_api(parts.service)
        .merge(callbacks)
        .merge(artifacts)
        .route("/health", get(|| async { axum::Json(health) }));
    with_our_errors(routes).layer(axum::middleware::from_fn(error::only_local_callers))
}

fn with_our_errors(routes: Router) -> Router {
    routes
        .fallback(|| async {
            HttpError::new(StatusCode::NOT_FOUND, "there is nothing at this path").into_response()
        })
        .method_not_allowed_fallback(|| async {
            HttpError::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not know the method")
                .into_response()
        })
}
