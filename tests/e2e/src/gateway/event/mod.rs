//! An HTTP request as the event of an HTTP API (payload format 2.0), and the function's answer back.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, Response, StatusCode, request::Parts},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The event that API Gateway makes of a request.
pub(super) fn event(
    parts: &Parts,
    body: &Bytes,
    route_key: &str,
    path_parameters: &BTreeMap<String, String>,
    request_id: &str,
) -> Value {
    let mut headers = Map::new();
    for name in parts.headers.keys() {
        let values: Vec<_> = parts
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        headers.insert(name.as_str().to_owned(), Value::String(values.join(",")));
    }
    let header = |name: &str| headers.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let path = parts.uri.path();
    let query = parts.uri.query().unwrap_or_default();
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": header("host"),
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": header("user-agent"),
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": epoch,
        },
        "isBase64Encoded": false,
    });
    let Some(fields) = event.as_object_mut() else { return event };
    let query: Map<String, Value> = query_parameters(query);
    if !query.is_empty() {
        fields.insert("queryStringParameters".to_owned(), Value::Object(query));
    }
    if !path_parameters.is_empty() {
        fields.insert("pathParameters".to_owned(), json!(path_parameters));
    }
    if !body.is_empty() {
        // As the gateway does: what is no text travels as Base64.
        let (text, is_encoded) = match std::str::from_utf8(body) {
            Ok(text) => (text.to_owned(), false),
            Err(_) => (BASE64_STANDARD.encode(body), true),
        };
        fields.insert("body".to_owned(), Value::String(text));
        fields.insert("isBase64Encoded".to_owned(), Value::Bool(is_encoded));
    }
    event
}

/// Decoded; parameters that are given twice are joined by commas.
fn query_parameters(query: &str) -> Map<String, Value> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameters.entry(decoded(name)).or_default().push(decoded(value));
    }
    parameters.into_iter().map(|(name, values)| (name, Value::String(values.join(",")))).collect()
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

    fn event_of(uri: &str, body: &'static [u8]) -> Value {
        let request = Request::post(uri).header("X-A", "1").header("X-A", "2").body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let parameters = BTreeMap::from([("id".to_owned(), "w".to_owned())]);
        event(&parts, &Bytes::from_static(body), "POST /a/{id}", &parameters, "r")
    }

    #[test]
    fn a_request_becomes_an_event_of_format_two() {
        let event = event_of("/a/w?status=RUNNING&x=1&x=a+%26", b"{}");
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["headers"]["x-a"], "1,2");
        assert_eq!(event["queryStringParameters"], json!({ "status": "RUNNING", "x": "1,a &" }));
        assert_eq!(event["pathParameters"], json!({ "id": "w" }));
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
    }

    #[test]
    fn what_is_absent_stays_absent_and_what_is_no_text_is_encoded() {
        let event = event_of("/a/w", b"");
        assert!(event.get("body").is_none() && event.get("queryStringParameters").is_none());
        let event = event_of("/a/w", b"\xff");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
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
