//! Stop, pause, resume and delete.

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use durable_engine::{PauseOptions, ResumeOptions};
use durable_runtime::protocol::ErrorObject;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Service,
    error::ApiError,
    executions::{checked_arn, parse},
    json_response,
    request::ApiRequest,
    view,
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PauseBody {
    client_token: Option<String>,
    reason: Option<String>,
    execution_timeout_paused: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ResumeBody {
    client_token: Option<String>,
    reason: Option<String>,
}

impl Service {
    pub(super) async fn stop(&self, arn: &str, request: &ApiRequest) -> Result<Response<Body>, ApiError> {
        let error = read_error(&request.body)?;
        let stopped_at = self.engine.stop(checked_arn(arn)?, error).await?;
        Ok(json_response(&json!({ "StopTimestamp": view::seconds(stopped_at) })))
    }

    pub(super) async fn pause(&self, arn: &str, request: &ApiRequest) -> Result<Response<Body>, ApiError> {
        let body: PauseBody = read_or_default(&request.body)?;
        let options = PauseOptions {
            reason: body.reason,
            time_limit_goes_on: !body.execution_timeout_paused.unwrap_or(true),
            client_token: client_token(body.client_token)?,
        };
        self.engine.pause(checked_arn(arn)?, options).await?;
        Ok(accepted(&json!({})))
    }

    pub(super) async fn resume(&self, arn: &str, request: &ApiRequest) -> Result<Response<Body>, ApiError> {
        let body: ResumeBody = read_or_default(&request.body)?;
        let options = ResumeOptions { reason: body.reason, client_token: client_token(body.client_token)? };
        self.engine.resume(checked_arn(arn)?, options).await?;
        Ok(accepted(&json!({})))
    }

    pub(super) async fn delete(&self, arn: &str) -> Result<Response<Body>, ApiError> {
        let execution = self.engine.get(checked_arn(arn)?).await?;
        let accepted_at = self.engine.delete(arn).await?;
        self.logs.remove(&execution.id);
        Ok(accepted(&json!({ "DeletionRequestTimestamp": view::seconds(accepted_at) })))
    }
}

fn accepted(body: &Value) -> Response<Body> {
    let mut response = json_response(body);
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

fn client_token(token: Option<String>) -> Result<Option<String>, ApiError> {
    match &token {
        Some(text) if !(1..=64).contains(&text.len()) || !text.bytes().all(|it| it.is_ascii_graphic()) => {
            Err(ApiError::invalid("ClientToken is 1 to 64 printable characters without spaces"))
        }
        _ => Ok(token),
    }
}

fn read_or_default<T: Default + serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    if body.trim_ascii().is_empty() { Ok(T::default()) } else { parse(body) }
}

/// An [`ErrorObject`] that is the whole body; `None` when it says nothing.
pub(super) fn read_error(body: &[u8]) -> Result<Option<ErrorObject>, ApiError> {
    if body.is_empty() {
        return Ok(None);
    }
    let error = parse::<Option<ErrorObject>>(body)?;
    Ok(error.filter(|error| *error != ErrorObject::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_members_is_none() {
        assert_eq!(read_error(b"{}").unwrap(), None);
        assert_eq!(read_error(b"").unwrap(), None);
        let error = read_error(br#"{"ErrorMessage":"m"}"#).unwrap().unwrap();
        assert_eq!(error.error_message.as_deref(), Some("m"));
    }

    #[test]
    fn client_tokens_have_bounds() {
        assert_eq!(client_token(None).unwrap(), None);
        assert!(client_token(Some("a-1".into())).is_ok());
        for token in ["", "a b", "é", &"x".repeat(65)] {
            assert!(client_token(Some(token.to_owned())).is_err(), "{token}");
        }
    }
}
