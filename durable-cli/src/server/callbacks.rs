//! Completing callbacks from outside, by callback id.

use axum::{
    body::{Body, Bytes},
    http::Response,
};
use durable_runtime::protocol::Payload;
use serde_json::json;

use super::{Service, control::read_error, error::ApiError, json_response};

impl Service {
    /// The body is the result, byte for byte, whatever its content type says. An empty one is no result.
    pub(super) async fn callback_succeed(&self, id: &str, body: &Bytes) -> Result<Response<Body>, ApiError> {
        let text = std::str::from_utf8(body)
            .map_err(|error| ApiError::invalid(format!("the result of a callback is UTF-8 text: {error}")))?;
        let result = (!text.is_empty()).then(|| Payload::from(text));
        self.engine.succeed_callback(id, result).await?;
        Ok(json_response(&json!({})))
    }

    pub(super) async fn callback_fail(&self, id: &str, body: &Bytes) -> Result<Response<Body>, ApiError> {
        self.engine.fail_callback(id, read_error(body)?).await?;
        Ok(json_response(&json!({})))
    }

    pub(super) async fn callback_heartbeat(&self, id: &str) -> Result<Response<Body>, ApiError> {
        self.engine.heartbeat_callback(id).await?;
        Ok(json_response(&json!({})))
    }
}
