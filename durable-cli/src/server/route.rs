//! Which call a request is. Works on the raw path: an encoded `/` is part of an ARN, not a separator.

use axum::{
    body::Body,
    http::{HeaderValue, Method, Request, Response, Uri, header},
};
use uuid::Uuid;

use super::{
    Service,
    error::{ApiError, Exception},
    json_response,
    request::ApiRequest,
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
        let request_line = format!("{} {}", request.method(), request.uri());
        let mut response = match self.route(request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(request = request_line, ?error, "refused");
                error.into_response()
            }
        };
        let request_id = HeaderValue::from_str(&Uuid::new_v4().to_string());
        response.headers_mut().insert("x-amzn-RequestId", request_id.expect("a UUID is a header value"));
        response
    }

    async fn route(&self, request: Request<Body>) -> Result<Response<Body>, ApiError> {
        refuse_browsers(&request)?;
        let request = ApiRequest::read(request).await?;
        let segments: Vec<&str> = request.segments.iter().map(String::as_str).collect();
        let (get, post) = (request.method == Method::GET, request.method == Method::POST);
        match segments.as_slice() {
            [DURABLE, "durable-executions", arn, "checkpoint"] if post => {
                self.checkpoint(arn, &request).await
            }
            [DURABLE, "durable-executions", arn, "state"] if get => self.state(arn, &request.query).await,
            [DURABLE, "durable-executions", arn, "history"] if get => self.history(arn, &request.query).await,
            [DURABLE, "durable-executions", arn, "stop"] if post => self.stop(arn, &request).await,
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

/// Refuses what a web page may have sent. Nothing else stands between a page that the developer looks at and
/// the functions on this machine: AWS clients sign requests, but a local service has no secrets to check that.
fn refuse_browsers(request: &Request<Body>) -> Result<(), ApiError> {
    let header = |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let refused = |what: &str, value: &str| {
        let message = format!("{what} '{value}' is not this machine: requests of web pages are refused");
        Err(ApiError::new(Exception::AccessDenied, message))
    };
    if let Some(host) = header(header::HOST)
        && !is_loopback(host)
    {
        return refused("host", host);
    }
    match header(header::ORIGIN) {
        Some(origin)
            if !origin
                .parse::<Uri>()
                .is_ok_and(|uri| uri.authority().is_some_and(|it| is_loopback(it.as_str()))) =>
        {
            refused("origin", origin)
        }
        _ => Ok(()),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host == "host.docker.internal"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        for ours in ["localhost:9014", "127.0.0.1", "127.0.0.1:80", "[::1]:9014", "api.localhost:1"] {
            assert!(is_loopback(ours), "{ours}");
        }
        for other in ["example.com", "10.0.0.1:80", "localhost.example.com", ""] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
