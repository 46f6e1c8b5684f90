//! Errors as AWS clients expect them: a status, the `x-amzn-ErrorType` header and a body with the exception's
//! own members.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use durable_engine::{CallbackError, EngineError};
use durable_runtime::service::ServiceError;
use serde_json::json;

use super::view::object;

/// The exceptions of the service's API model that a local service has a reason for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exception {
    InvalidParameterValue,
    ResourceNotFound,
    Service,
    TooManyRequests,
    CallbackTimeout,
    AlreadyStarted,
    ResourceConflict,
    RequestTooLarge,
    InvalidRequestContent,
    /// Not part of the model, like those that follow: what AWS answers to a request that is none of its operations.
    UnknownOperation,
    AccessDenied,
    RequestTimeout,
}

impl Exception {
    /// The name, the status, and the body's name for the message: the model is not of one mind about its case.
    const fn wire(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::InvalidParameterValue => {
                ("InvalidParameterValueException", StatusCode::BAD_REQUEST, "message")
            }
            Self::ResourceNotFound => ("ResourceNotFoundException", StatusCode::NOT_FOUND, "Message"),
            Self::Service => ("ServiceException", StatusCode::INTERNAL_SERVER_ERROR, "Message"),
            Self::TooManyRequests => ("TooManyRequestsException", StatusCode::TOO_MANY_REQUESTS, "message"),
            Self::CallbackTimeout => ("CallbackTimeoutException", StatusCode::BAD_REQUEST, "Message"),
            Self::AlreadyStarted => {
                ("DurableExecutionAlreadyStartedException", StatusCode::CONFLICT, "Message")
            }
            Self::ResourceConflict => ("ResourceConflictException", StatusCode::CONFLICT, "message"),
            Self::RequestTooLarge => ("RequestTooLargeException", StatusCode::PAYLOAD_TOO_LARGE, "message"),
            Self::InvalidRequestContent => {
                ("InvalidRequestContentException", StatusCode::BAD_REQUEST, "message")
            }
            Self::UnknownOperation => ("UnknownOperationException", StatusCode::NOT_FOUND, "Message"),
            Self::AccessDenied => ("AccessDeniedException", StatusCode::FORBIDDEN, "Message"),
            Self::RequestTimeout => ("RequestTimeoutException", StatusCode::REQUEST_TIMEOUT, "message"),
        }
    }
}

/// A refusal, ready to be sent.
#[derive(Debug)]
pub(crate) struct ApiError {
    exception: Exception,
    message: String,
}

impl ApiError {
    pub(crate) fn new(exception: Exception, message: impl Into<String>) -> Self {
        Self { exception, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Exception::InvalidParameterValue, message)
    }

    /// The exception's name, without the message: that repeats what was sent, which is not for logs.
    pub(crate) const fn name(&self) -> &'static str {
        self.exception.wire().0
    }

    /// The same refusal, with other words at the beginning of its message where it begins with `old`.
    pub(super) fn reworded(mut self, old: &str, new: &str) -> Self {
        if let Some(rest) = self.message.strip_prefix(old) {
            self.message = format!("{new}{rest}");
        }
        self
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let (name, status, member) = self.exception.wire();
        let fault = if status.is_server_error() { "Service" } else { "User" };
        let throttled = self.exception == Exception::TooManyRequests;
        let body = object([
            ("Type", Some(json!(fault))),
            (member, Some(json!(self.message))),
            ("Reason", throttled.then(|| json!("ReservedFunctionConcurrentInvocationLimitExceeded"))),
        ]);
        let mut response = Response::new(Body::from(body.to_string()));
        if throttled {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        *response.status_mut() = status;
        response.headers_mut().insert("x-amzn-ErrorType", HeaderValue::from_static(name));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let exception = match &error {
            EngineError::UnknownFunction { .. } | EngineError::NotFound { .. } => Exception::ResourceNotFound,
            EngineError::AlreadyStarted { .. } => Exception::AlreadyStarted,
            EngineError::AmbiguousName { .. }
            | EngineError::InvalidName { .. }
            | EngineError::InvalidTimeout { .. }
            | EngineError::ReasonTooLong { .. }
            | EngineError::InvalidInput { .. } => Exception::InvalidParameterValue,
            EngineError::WrongStatus { .. } => Exception::ResourceConflict,
            EngineError::InputTooLarge { .. } => Exception::RequestTooLarge,
            _ => Exception::Service,
        };
        Self::new(exception, error.to_string())
    }
}

impl From<CallbackError> for ApiError {
    fn from(error: CallbackError) -> Self {
        match error {
            CallbackError::Engine(error) => error.into(),
            CallbackError::Unknown { .. } => Self::new(Exception::ResourceNotFound, error.to_string()),
            CallbackError::TooLarge { .. } => Self::invalid(error.to_string()),
            // The model has one exception for every callback that can't be completed any more.
            _ => Self::new(Exception::CallbackTimeout, error.to_string()),
        }
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        let exception = match error.code.as_str() {
            "InvalidParameterValueException" => Exception::InvalidParameterValue,
            "TooManyRequestsException" => Exception::TooManyRequests,
            _ => Exception::Service,
        };
        Self::new(exception, error.message)
    }
}
