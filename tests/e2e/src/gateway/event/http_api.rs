//! Payload format 2.0.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::Routed;

/// Names of headers in lower case; what comes more than once is joined by commas; what is absent stays away.
pub(super) fn event(request: Routed<'_>) -> Value {
    let Routed { parts, route_key, path_parameters, request_id, .. } = request;
    let mut headers = Map::new();
    for name in parts.headers.keys() {
        headers.insert(name.as_str().to_owned(), Value::String(request.values(name).join(",")));
    }
    let header = |name: &str| headers.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let path = parts.uri.path();
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let (body, is_encoded) = request.body();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
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
        "isBase64Encoded": is_encoded,
    });
    let Some(fields) = event.as_object_mut() else { return event };
    let query: Map<String, Value> = request
        .query_parameters()
        .into_iter()
        .map(|(name, values)| (name, Value::String(values.join(","))))
        .collect();
    if !query.is_empty() {
        fields.insert("queryStringParameters".to_owned(), Value::Object(query));
    }
    if !path_parameters.is_empty() {
        fields.insert("pathParameters".to_owned(), json!(path_parameters));
    }
    if let Some(body) = body {
        fields.insert("body".to_owned(), Value::String(body));
    }
    event
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::gateway::event::{Format, tests::event_of};

    #[test]
    fn a_request_becomes_an_event_of_format_two() {
        let event = event_of(Format::HttpApi, "/a/w?status=RUNNING&x=1&x=a+%26", b"{}");
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["headers"]["x-two-times"], "1,2");
        assert_eq!(event["queryStringParameters"], json!({ "status": "RUNNING", "x": "1,a &" }));
        assert_eq!(event["pathParameters"], json!({ "id": "w" }));
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
    }

    #[test]
    fn what_is_absent_stays_absent_and_what_is_no_text_is_encoded() {
        let event = event_of(Format::HttpApi, "/a/w", b"");
        assert!(event.get("body").is_none() && event.get("queryStringParameters").is_none());
        let event = event_of(Format::HttpApi, "/a/w", b"\xff");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    }
}
