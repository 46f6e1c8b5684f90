//! What API Gateway sends and gets: REST APIs (payload format 1.0) and HTTP APIs and function URLs (2.0).
//!
//! A body that is binary arrives in base64; names of headers are as the client wrote them in the first format and in
//! lower case in the second. A [`Request`] is the same for both. The answer has the one form that both understand.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// A request, whatever form it came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The method, in upper case.
    pub method: String,
    /// The path without the stage.
    pub path: String,
    /// The query string as it stands in a URL, without `?`.
    pub query: String,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The gateway's id of the request; empty when something else invoked the function.
    pub request_id: String,
}

impl Request {
    /// A header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// The status.
    pub status_code: u16,
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// The body, as text or in base64.
    pub body: String,
    /// Which of the two.
    pub is_base64_encoded: bool,
}

impl Response {
    /// A JSON document.
    #[must_use]
    pub fn json(status_code: u16, body: &serde_json::Value) -> Self {
        let headers = BTreeMap::from([("content-type".to_owned(), "application/json".to_owned())]);
        Self { status_code, headers, body: body.to_string(), is_base64_encoded: false }
    }

    /// Bytes: as text when they are text.
    #[must_use]
    pub fn bytes(status_code: u16, headers: BTreeMap<String, String>, body: Vec<u8>) -> Self {
        match String::from_utf8(body) {
            Ok(body) => Self { status_code, headers, body, is_base64_encoded: false },
            Err(error) => {
                let body = STANDARD.encode(error.as_bytes());
                Self { status_code, headers, body, is_base64_encoded: true }
            }
        }
    }
}

/// Why an event is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotARequest {
    /// It has no method and path.
    #[error(
        "the event is no request of an API Gateway: it has neither `httpMethod` and `path` nor `requestContext.http`"
    )]
    Unknown,
    /// Its body is not what it says it is.
    #[error("the event's body is not the base64 that `isBase64Encoded` says it is")]
    Base64,
}

/// An event of either format, as far as it matters here.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Event {
    // Format 1.0
    #[serde(skip_serializing_if = "Option::is_none")]
    http_method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_string_parameters: Option<BTreeMap<String, Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_query_string_parameters: Option<BTreeMap<String, Vec<String>>>,
    // Format 2.0
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_query_string: Option<String>,
    // Both
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, Option<String>>>,
    request_context: RequestContext,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    is_base64_encoded: bool,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RequestContext {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http: Option<Http>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Http {
    method: String,
    #[serde(default)]
    path: String,
}

impl TryFrom<Event> for Request {
    type Error = NotARequest;

    fn try_from(event: Event) -> Result<Self, NotARequest> {
        let context = event.request_context;
        let stage = context.stage.unwrap_or_default();
        let (method, path, query) = match (context.http, event.http_method, event.path) {
            (Some(http), _, _) => {
                let path = event.raw_path.unwrap_or(http.path);
                (http.method, without_stage(path, &stage), event.raw_query_string.unwrap_or_default())
            }
            (None, Some(method), Some(path)) => {
                let single = event.query_string_parameters.unwrap_or_default();
                (method, path, query_string(event.multi_value_query_string_parameters, single))
            }
            _ => return Err(NotARequest::Unknown),
        };
        let body = event.body.unwrap_or_default();
        let body = if event.is_base64_encoded {
            STANDARD.decode(body).map_err(|_| NotARequest::Base64)?
        } else {
            body.into_bytes()
        };
        let headers = event.headers.unwrap_or_default().into_iter();
        let headers = headers.filter_map(|(name, value)| Some((name.to_ascii_lowercase(), value?))).collect();
        Ok(Self {
            method: method.to_ascii_uppercase(),
            path,
            query,
            headers,
            body,
            request_id: context.request_id.unwrap_or_default(),
        })
    }
}

impl From<Request> for Event {
    /// In format 2.0.
    fn from(request: Request) -> Self {
        let (body, is_base64_encoded) = match String::from_utf8(request.body) {
            Ok(text) => (text, false),
            Err(error) => (STANDARD.encode(error.as_bytes()), true),
        };
        Self {
            raw_path: Some(request.path.clone()),
            raw_query_string: Some(request.query),
            headers: Some(request.headers.into_iter().map(|(name, value)| (name, Some(value))).collect()),
            request_context: RequestContext {
                request_id: Some(request.request_id).filter(|id| !id.is_empty()),
                stage: None,
                http: Some(Http { method: request.method, path: request.path }),
            },
            body: Some(body),
            is_base64_encoded,
            ..Self::default()
        }
    }
}

/// In format 2.0 a path begins with the name of its stage, unless that is the default one.
fn without_stage(path: String, stage: &str) -> String {
    if stage.is_empty() || stage == "$default" {
        return path;
    }
    match path.strip_prefix('/').and_then(|rest| rest.strip_prefix(stage)) {
        Some("") => "/".to_owned(),
        Some(rest) if rest.starts_with('/') => rest.to_owned(),
        _ => path,
    }
}

/// Format 1.0 has the parameters decoded.
fn query_string(
    multiple: Option<BTreeMap<String, Vec<String>>>,
    single: BTreeMap<String, Option<String>>,
) -> String {
    let multiple = multiple.unwrap_or_else(|| {
        single.into_iter().map(|(name, value)| (name, vec![value.unwrap_or_default()])).collect()
    });
    let pairs = multiple.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
    let mut url = reqwest::Url::parse("http://x/").expect("a constant URL");
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn request(event: Value) -> Result<Request, NotARequest> {
        serde_json::from_value::<Event>(event).unwrap().try_into()
    }

    #[test]
    fn both_formats_read_the_same() {
        let rest = request(json!({
            "resource": "/workflows/{id}", "path": "/workflows/a", "httpMethod": "GET",
            "headers": { "X-Api-Key": "k", "Host": "h", "X-Null": null },
            "multiValueHeaders": { "X-Api-Key": ["k"] },
            "queryStringParameters": { "status": "A B", "limit": "2" },
            "multiValueQueryStringParameters": { "status": ["A B"], "limit": ["2"] },
            "pathParameters": { "id": "a" }, "stageVariables": null,
            "requestContext": { "requestId": "r-1", "stage": "prod", "httpMethod": "GET", "path": "/prod/workflows/a" },
            "body": null, "isBase64Encoded": false,
        }))
        .unwrap();
        let http = request(json!({
            "version": "2.0", "routeKey": "GET /workflows/{id}",
            "rawPath": "/prod/workflows/a", "rawQueryString": "limit=2&status=A+B",
            "headers": { "x-api-key": "k", "host": "h" },
            "requestContext": {
                "requestId": "r-1", "stage": "prod",
                "http": { "method": "GET", "path": "/prod/workflows/a", "sourceIp": "192.0.2.1" },
            },
            "isBase64Encoded": false,
        }))
        .unwrap();
        assert_eq!(rest, http);
        assert_eq!((rest.header("x-api-key"), rest.header("x-null")), (Some("k"), None));
        assert_eq!(rest.body, b"");
        let written = serde_json::to_value(Event::from(rest.clone())).unwrap();
        assert_eq!(request(written), Ok(rest));
    }

    #[test]
    fn a_rest_api_without_parameters_sends_null() {
        let event = json!({
            "path": "/callbacks", "httpMethod": "post", "headers": null, "queryStringParameters": null,
            "multiValueQueryStringParameters": null, "requestContext": {}, "body": "eA==", "isBase64Encoded": true,
        });
        let request = request(event).unwrap();
        assert_eq!((request.method.as_str(), request.query.as_str()), ("POST", ""));
        assert_eq!((request.body, request.request_id), (b"x".to_vec(), String::new()));
    }

    #[test]
    fn only_the_stage_is_taken_off_a_path() {
        for (path, stage, expected) in [
            ("/prod/callbacks", "prod", "/callbacks"),
            ("/prod", "prod", "/"),
            ("/production/x", "prod", "/production/x"),
            ("/callbacks", "$default", "/callbacks"),
            ("/callbacks", "", "/callbacks"),
        ] {
            assert_eq!(without_stage(path.to_owned(), stage), expected);
        }
    }

    #[test]
    fn what_is_no_request_is_said_to_be_none() {
        assert_eq!(request(json!({ "order": 1 })), Err(NotARequest::Unknown));
        let event = json!({ "path": "/", "httpMethod": "GET", "body": "§", "isBase64Encoded": true });
        assert_eq!(request(event), Err(NotARequest::Base64));
    }

    #[test]
    fn an_answer_that_is_no_text_travels_in_base64() {
        let answer = Response::bytes(200, BTreeMap::new(), vec![0xff]);
        assert_eq!((answer.body.as_str(), answer.is_base64_encoded), ("/w==", true));
        let json = serde_json::to_value(Response::json(404, &json!({ "error": "no" }))).unwrap();
        assert_eq!(json["statusCode"], 404);
        assert_eq!(json["body"], r#"{"error":"no"}"#);
        assert_eq!(json["isBase64Encoded"], false);
        assert_eq!(json["headers"]["content-type"], "application/json");
    }
}
