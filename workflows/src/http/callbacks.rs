//! `/callbacks`

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap};

use super::error::{Body, HttpError};
use crate::{
    callback::{API_KEY_HEADER, Answer, Headers, SIGNATURE_HEADER, TIMESTAMP_HEADER},
    host::CallbackIntake,
};

pub(super) async fn receive(
    State(callbacks): State<Arc<CallbackIntake>>,
    headers: HeaderMap,
    body: Result<Body, HttpError>,
) -> Result<Answer, HttpError> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let proofs = Headers {
        api_key: text(API_KEY_HEADER),
        signature: text(SIGNATURE_HEADER),
        timestamp: text(TIMESTAMP_HEADER),
    };
    match body {
        Ok(Body(body)) => Ok(callbacks.receive(proofs, &body).await),
        Err(error) if error.is_too_large() => Ok(callbacks.refuse_too_large()),
        Err(error) => Err(error),
    }
}
