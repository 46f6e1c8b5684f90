//! The workflow API behind a gateway, in both payload formats.

use std::sync::Arc;

use serde_json::{Value, json};
use workflows::{
    callback::Authentication,
    host::Service,
    lambda::{Api, gateway},
    local::EngineExecutions,
};

use super::world::{Face, World};

struct Caller {
    api: Api,
    face: Face,
}

impl Caller {
    async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers: serde_json::Map<_, _> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let event = if self.face == Face::RestApi {
            let parameters: serde_json::Map<_, _> = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect();
            json!({
                "httpMethod": method, "path": path, "headers": headers, "queryStringParameters": parameters,
                "requestContext": { "requestId": "r" }, "body": body, "isBase64Encoded": false,
            })
        } else {
            json!({
                "version": "2.0", "rawPath": format!("/live{path}"), "rawQueryString": query, "headers": headers,
                "requestContext": { "requestId": "r", "stage": "live", "http": { "method": method, "path": path } },
                "body": body, "isBase64Encoded": false,
            })
        };
        let event: gateway::Event = serde_json::from_value(event).unwrap();
        let response = self.api.answer(event).await.unwrap();
        assert_eq!(response.headers["content-type"], "application/json");
        (response.status_code, serde_json::from_str(&response.body).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workflows_are_started_once_shown_listed_decided_and_cancelled() {
    for face in [Face::RestApi, Face::HttpApi] {
        let world = World::new(face, Authentication::default()).await;
        let recorder = Arc::new(EngineExecutions::new(world.engine.clone()));
        let api = Api::new(Arc::new(Service::new(world.ports.clone(), recorder)));
        let caller = Caller { api, face };
        let topic = r#"{"topic":"structured concurrency"}"#;
        let key = [("Idempotency-Key", "k-1")];

        let (status, started) = caller.call("POST", "/workflows", &key, topic).await;
        assert_eq!((status, &started["status"]), (202, &json!("INITIALIZING")), "{started}");
        let (status, again) = caller.call("POST", "/workflows", &key, topic).await;
        assert_eq!((status, &again["workflow_id"]), (202, &started["workflow_id"]));
        assert_eq!(world.executions.started.lock().unwrap().len(), 1, "{face:?}");
        let (status, _) = caller.call("POST", "/workflows", &key, r#"{"topic":"another"}"#).await;
        assert_eq!(status, 422);

        let path = format!("/workflows/{}", started["workflow_id"].as_str().unwrap());
        let (status, shown) = caller.call("GET", &path, &[], "").await;
        assert_eq!((status, &shown["topic"]), (200, &json!("structured concurrency")));
        for (query, count) in [("status=INITIALIZING&limit=5", 1), ("status=FAILED", 0), ("", 1)] {
            let (status, list) = caller.call("GET", &format!("/workflows?{query}"), &[], "").await;
            assert_eq!(
                (status, list["workflows"].as_array().unwrap().len()),
                (200, count),
                "{face:?} {query}"
            );
        }
        let approval = r#"{"approved":true}"#;
        let (status, _) = caller.call("POST", &format!("{path}/approval"), &[], approval).await;
        assert_eq!(status, 409, "it does not wait for one");
        let (status, cancelled) = caller.call("DELETE", &path, &[], "").await;
        assert_eq!((status, &cancelled["status"]), (200, &json!("CANCELLED")));
        assert_eq!(caller.call("GET", "/dead-letters", &[], "").await, (200, json!([])));
        let redriven = json!({ "delivered": 0, "remaining": 0 });
        assert_eq!(caller.call("POST", "/dead-letters/redrive", &[], "").await, (200, redriven));

        for (method, path, body, expected) in [
            ("POST", "/workflows", "", 400),
            ("POST", "/workflows", r#"{"topic":""}"#, 400),
            ("GET", "/workflows?limit=x", "", 400),
            ("GET", "/workflows/none", "", 404),
            ("GET", "/elsewhere", "", 404),
            ("PUT", "/workflows", "", 405),
            // Only on one machine is the callback handler part of the API.
            ("POST", "/callbacks", "{}", 404),
        ] {
            let (status, answer) = caller.call(method, path, &[], body).await;
            assert_eq!(status, expected, "{face:?} {method} {path}: {answer}");
            assert!(answer["error"].is_string(), "{answer}");
        }
        world.shutdown().await;
    }
}
