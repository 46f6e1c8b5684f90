//! Payload format 1.0.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Routed;

/// The stage that such APIs are deployed to. It is part of their URL, but not of `path`.
const STAGE: &str = "live";

/// Names of headers as clients write them; of what comes more than once the last value, and all of them apart; what is
/// absent is null.
pub(super) fn event(request: Routed<'_>) -> Value {
    let Routed { parts, route_key, path_parameters, request_id, .. } = request;
    let headers: BTreeMap<String, Vec<String>> =
        parts.headers.keys().map(|name| (as_written(name.as_str()), request.values(name))).collect();
    let query = request.query_parameters();
    let (method, path) = (parts.method.as_str(), parts.uri.path());
    let resource = route_key.split_once(' ').map_or(route_key, |(_, resource)| resource);
    let (body, is_encoded) = request.body();
    json!({
        "resource": resource,
        "path": path,
        "httpMethod": method,
        "headers": last(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": or_null(&last(&query)),
        "multiValueQueryStringParameters": or_null(&query),
        "pathParameters": or_null(path_parameters),
        "stageVariables": null,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "httpMethod": method,
            "identity": { "sourceIp": "127.0.0.1", "apiKey": null },
            "path": format!("/{STAGE}{path}"),
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "resourcePath": resource,
            "stage": STAGE,
        },
        "body": body,
        "isBase64Encoded": is_encoded,
    })
}

fn last(values: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, String> {
    values.iter().filter_map(|(name, values)| Some((name.clone(), values.last()?.clone()))).collect()
}

fn or_null<V: serde::Serialize>(fields: &BTreeMap<String, V>) -> Value {
    if fields.is_empty() { Value::Null } else { json!(fields) }
}

/// `x-api-key` as `X-Api-Key`: clients of HTTP/1.1 mostly write it so, and servers here only know it in lower case.
fn as_written(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut characters = word.chars();
        characters.next().map_or_else(String::new, |first| {
            format!("{}{}", first.to_ascii_uppercase(), characters.as_str())
        })
    });
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::gateway::event::{Format, tests::event_of};

    #[test]
    fn a_request_becomes_an_event_of_format_one() {
        let event = event_of(Format::RestApi, "/a/w?status=RUNNING&x=1&x=a+%26", b"{}");
        assert_eq!((&event["httpMethod"], &event["path"]), (&json!("POST"), &json!("/a/w")));
        assert_eq!((&event["resource"], &event["version"]), (&json!("/a/{id}"), &json!(null)));
        assert_eq!(event["headers"], json!({ "X-Two-Times": "2" }));
        assert_eq!(event["multiValueHeaders"], json!({ "X-Two-Times": ["1", "2"] }));
        assert_eq!(event["queryStringParameters"], json!({ "status": "RUNNING", "x": "a &" }));
        assert_eq!(
            event["multiValueQueryStringParameters"],
            json!({ "status": ["RUNNING"], "x": ["1", "a &"] })
        );
        assert_eq!(event["requestContext"]["path"], "/live/a/w");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{}"), &json!(false)));
    }

    #[test]
    fn what_is_absent_is_null_and_what_is_no_text_is_encoded() {
        let event = event_of(Format::RestApi, "/a/w", b"");
        for name in ["body", "queryStringParameters", "multiValueQueryStringParameters"] {
            assert_eq!(event.get(name), Some(&json!(null)), "{name}");
        }
        let event = event_of(Format::RestApi, "/a/w", b"\xff");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/w=="), &json!(true)));
    }
}
