//! An HTTP request as the event of a gateway, and the function's answer back.

mod http_api;
mod rest_api;

use std::collections::BTreeMap;

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, Response, StatusCode, request::Parts},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

/// Which of API Gateway's two APIs stands before the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An HTTP API, as the template has one: payload format 2.0.
    HttpApi,
    /// A REST API: payload format 1.0.
    RestApi,
}

/// A request that found its route.
#[derive(Clone, Copy, Debug)]
pub(super) struct Routed<'a> {
    pub(super) parts: &'a Parts,
    pub(super) body: &'a Bytes,
    /// Method and path, as the route writes them.
    pub(super) route_key: &'a str,
    pub(super) path_parameters: &'a BTreeMap<String, String>,
    pub(super) request_id: &'a str,
}

/// The event that API Gateway makes of a request.
pub(super) fn event(format: Format, request: Routed<'_>) -> Value {
    match format {
        Format::HttpApi => http_api::event(request),
        Format::RestApi => rest_api::event(request),
    }
}

impl Routed<'_> {
    /// A header's values, in order.
    fn values(&self, name: &HeaderName) -> Vec<String> {
        let values = self.parts.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    /// Decoded, each with all its values.
    fn query_parameters(&self) -> BTreeMap<String, Vec<String>> {
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
        };
        let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let query = self.parts.uri.query().unwrap_or_default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.entry(decoded(name)).or_default().push(decoded(value));
        }
        parameters
    }

    /// As the gateway does: what is no text travels as Base64, which the second value says.
    fn body(&self) -> (Option<String>, bool) {
        match std::str::from_utf8(self.body) {
            Ok("") => (None, false),
            Ok(text) => (Some(text.to_owned()), false),
            Err(_) => (Some(BASE64_STANDARD.encode(self.body)), true),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The HTTP response that a function's answer describes; the gateway's own error when it describes none.
pub(super) fn response(payload: &[u8]) -> Response<Body> {
    let Ok(answer) = serde_json::from_slice::<Answer>(payload) else {
        return error(StatusCode::INTERNAL_SERVER_ERROR);
    };
    let body = answer.body.unwrap_or_default();
    let body = if answer.is_base64_encoded {
        match BASE64_STANDARD.decode(body) {
            Ok(bytes) => Body::from(bytes),
            Err(_) => return error(StatusCode::INTERNAL_SERVER_ERROR),
        }
    } else {
        Body::from(body)
    };
    let mut response = Response::new(body);
    let Ok(status) = StatusCode::from_u16(answer.status_code) else {
        return error(StatusCode::INTERNAL_SERVER_ERROR);
    };
    *response.status_mut() = status;
    for (name, value) in answer.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            return error(StatusCode::INTERNAL_SERVER_ERROR);
        };
        response.headers_mut().insert(name, value);
    }
    response
}

/// An error of the gateway itself, in its own form.
pub(super) fn error(status: StatusCode) -> Response<Body> {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        StatusCode::SERVICE_UNAVAILABLE => "Service Unavailable",
        StatusCode::NOT_FOUND => "Not Found",
        _ => "Internal Server Error",
    };
    let mut response = Response::new(Body::from(json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(axum::http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    /// The event of a request with a header that comes twice.
    pub(super) fn event_of(format: Format, uri: &str, body: &'static [u8]) -> Value {
        let request =
            Request::post(uri).header("X-Two-Times", "1").header("X-Two-Times", "2").body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let path_parameters = &BTreeMap::from([("id".to_owned(), "w".to_owned())]);
        let body = &Bytes::from_static(body);
        let (parts, route_key, request_id) = (&parts, "POST /a/{id}", "r");
        event(format, Routed { parts, body, route_key, path_parameters, request_id })
    }

    #[test]
    fn an_answer_that_is_none_is_the_gateways_error() {
        let ok = response(br#"{"statusCode": 202, "headers": {"content-type": "text/plain"}, "body": "x"}"#);
        assert_eq!(ok.status(), StatusCode::ACCEPTED);
        assert_eq!(ok.headers()["content-type"], "text/plain");
        for bad in [&b"null"[..], b"{}", br#"{"statusCode": 20000}"#] {
            assert_eq!(response(bad).status(), StatusCode::INTERNAL_SERVER_ERROR);
        }
    }
}
