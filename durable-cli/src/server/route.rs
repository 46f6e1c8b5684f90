//! Which call a request is. Works on the raw path: an encoded `/` is part of an ARN, not a separator.

use axum::{
    body::Body,
    http::{HeaderValue, Method, Request, Response, request::Parts},
};
use durable_runtime::protocol::limits;
use uuid::Uuid;

use super::{
    Service,
    error::{ApiError, Exception},
    json_response,
    request::ApiRequest,
    stale_token,
};

/// The version in the paths of the durable operations.
const DURABLE: &str = "2025-12-01";
/// The version in the paths of Invoke.
const INVOKE: &str = "2015-03-31";
/// The first segment of what only this server has.
const OWN: &str = "_durable";

impl Service {
    /// Answers a request; never fails.
    pub(super) async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let operation = operation(&parts);
        let stale_token = stale_token::words_for(&parts.headers);
        let mut response = match self.route(Request::from_parts(parts, body)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(operation, exception = error.name(), "refused");
                error.reworded(stale_token::WORDS, stale_token).into_response()
            }
        };
        let request_id = HeaderValue::from_str(&Uuid::new_v4().to_string());
        response.headers_mut().insert("x-amzn-RequestId", request_id.expect("a UUID is a header value"));
        response
    }

    async fn route(&self, request: Request<Body>) -> Result<Response<Body>, ApiError> {
        let denied = |reason| ApiError::new(Exception::AccessDenied, reason);
        self.guard.check(&request).map_err(denied)?;
        let (parts, body) = request.into_parts();
        let mut request = ApiRequest::of_head(parts)?;
        request.read(body, body_limit(&request.segments), self.patience).await?;
        let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
        let (get, post) = (request.method == Method::GET, request.method == Method::POST);
        match segments.as_slice() {
            [DURABLE, "durable-executions", arn, "checkpoint"] if post => {
                self.checkpoint(arn, &request).await
            }
            [DURABLE, "durable-executions", arn, "state"] if get => self.state(arn, &request.query).await,
            [DURABLE, "durable-executions", arn, "history"] if get => self.history(arn, &request.query).await,
            [DURABLE, "durable-executions", arn, "stop"] if post => self.stop(arn, &request).await,
            [DURABLE, "durable-executions", arn, "pause"] if post => self.pause(arn, &request).await,
            [DURABLE, "durable-executions", arn, "resume"] if post => self.resume(arn, &request).await,
            [DURABLE, "durable-executions", arn] if request.method == Method::DELETE => {
                self.delete(arn).await
            }
            [DURABLE, "durable-executions", arn] if get => self.get_execution(arn, &request.query).await,
            [DURABLE, "functions", function, "durable-executions"] if get => {
                self.list_executions(function, &request.query).await
            }
            [DURABLE, "durable-execution-callbacks", id, "succeed"] if post => {
                self.callback_succeed(id, &request.body).await
            }
            [DURABLE, "durable-execution-callbacks", id, "fail"] if post => {
                self.callback_fail(id, &request.body).await
            }
            [DURABLE, "durable-execution-callbacks", id, "heartbeat"] if post => {
                self.callback_heartbeat(id).await
            }
            [INVOKE, "functions", function, "invocations"] if post => self.invoke(function, &request).await,
            [OWN, "health"] if get => Ok(json_response(&serde_json::json!({ "status": "healthy" }))),
            [OWN, "functions"] if get => Ok(self.list_functions()),
            [OWN, "durable-executions", arn, "logs"] if get => self.execution_logs(arn, &request.query).await,
            _ => Err(ApiError::new(
                Exception::UnknownOperation,
                format!(
                    "{} /{} is none of this server's operations; are labels such as ARNs percent-encoded?",
                    request.method,
                    segments.join("/")
                ),
            )),
        }
    }
}

/// Bytes that are read of a body. What an operation's members may have is checked afterwards, in words.
fn body_limit(segments: &[String]) -> usize {
    match segments.last().map(String::as_str) {
        // A whole result, written as text inside of JSON, where one character may take six.
        Some("checkpoint") => 6 * limits::EXECUTION_PAYLOAD + limits::BATCH_BYTES,
        Some("invocations") => limits::EXECUTION_PAYLOAD,
        Some("succeed") => 2 * limits::CALLBACK_PAYLOAD,
        Some("fail" | "stop") => limits::OPERATION_PAYLOAD,
        _ => 64 * 1024,
    }
}

/// A request for the log: which operation, without labels and query. These have callback ids and checkpoint tokens
/// in them, which are all that it takes to use them.
fn operation(parts: &Parts) -> String {
    const WORDS: [&str; 18] = [
        DURABLE,
        INVOKE,
        OWN,
        "durable-executions",
        "durable-execution-callbacks",
        "functions",
        "checkpoint",
        "state",
        "history",
        "stop",
        "pause",
        "resume",
        "succeed",
        "fail",
        "heartbeat",
        "invocations",
        "health",
        "logs",
    ];
    let segments = parts.uri.path().split('/').map(|segment| match segment {
        "" => "",
        word if WORDS.contains(&word) => word,
        _ => "*",
    });
    format!("{} {}", parts.method, segments.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_of_a_request_has_no_labels_and_no_query() {
        let uri = "/2025-12-01/durable-execution-callbacks/0123abcd/succeed?CheckpointToken=secret";
        let (parts, ()) = Request::post(uri).body(()).unwrap().into_parts();
        assert_eq!(operation(&parts), "POST /2025-12-01/durable-execution-callbacks/*/succeed");
    }
}
