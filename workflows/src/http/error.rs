//! Errors as HTTP answers, all in one form: `{ "error": "<what>" }`.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Request, rejection::BytesRejection},
    http::{
        HeaderMap, StatusCode,
        header::{HOST, ORIGIN},
        request::Parts,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{callback::Answer, host::ServiceError, ports::WorkflowId};

/// A status and what went wrong.
#[derive(Debug)]
pub struct HttpError {
    status: StatusCode,
    message: String,
}

impl HttpError {
    /// An error that says `message`.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn is_too_large(&self) -> bool {
        self.status == StatusCode::PAYLOAD_TOO_LARGE
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

impl From<ServiceError> for HttpError {
    fn from(error: ServiceError) -> Self {
        let status = match &error {
            ServiceError::Invalid(_) => StatusCode::BAD_REQUEST,
            ServiceError::NotFound(_) => StatusCode::NOT_FOUND,
            ServiceError::Conflict(_) => StatusCode::CONFLICT,
            ServiceError::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            ServiceError::Unavailable { detail, .. } => {
                tracing::error!(detail, "a request failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.body)).into_response()
    }
}

/// A body that was read whole, or an error in our form.
pub(super) struct Body(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = HttpError;

    async fn from_request(request: Request, state: &S) -> Result<Self, HttpError> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection: BytesRejection| {
            match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => {
                    HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, "body: is too large")
                }
                status => HttpError::new(status, "body: could not be read"),
            }
        })
    }
}

/// The id in a path, or an error in our form: what is no text names nothing.
pub(super) struct Id(pub(super) WorkflowId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(WorkflowId::named(id))),
            Err(_) => Err(HttpError::new(StatusCode::NOT_FOUND, "no workflow has this id")),
        }
    }
}

/// Reads JSON whatever the content type says; agents and `curl` often leave it out.
pub(super) fn json_from<T: DeserializeOwned>(body: &[u8]) -> Result<T, HttpError> {
    if body.trim_ascii().is_empty() {
        return Err(HttpError::new(StatusCode::BAD_REQUEST, "body: is missing; expected a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let what = if error.is_syntax() || error.is_eof() { "body: expected JSON: " } else { "" };
        HttpError::new(StatusCode::BAD_REQUEST, format!("{what}{error}"))
    })
}

/// Refuses requests that a browser was tricked into.
pub(super) async fn only_local_callers(request: Request, next: Next) -> Response {
    if is_from_here(request.headers()) {
        return next.run(request).await;
    }
    HttpError::new(StatusCode::FORBIDDEN, "this server answers only to its loopback address").into_response()
}

/// A page of another site sends its own name as origin, and one that rebinds its name to this address still
/// sends that name as host.
fn is_from_here(headers: &HeaderMap) -> bool {
    let text = |name| match headers.get(name) {
        None => Some(""),
        Some(value) => value.to_str().ok(),
    };
    let is_local = |authority: &str| {
        let name = authority.rsplit_once(':').map_or(authority, |(name, _)| name);
        matches!(name, "127.0.0.1" | "localhost" | "[::1]" | "")
    };
    let is_origin_local =
        |origin: &str| origin.is_empty() || origin.strip_prefix("http://").is_some_and(is_local);
    text(HOST).is_some_and(is_local) && text(ORIGIN).is_some_and(is_origin_local)
}
