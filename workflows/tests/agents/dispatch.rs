//! The A2A protocol: what the client makes of answers, and what the agents make of requests.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::{Value, json};
use workflows::a2a::{A2aClient, DispatchError, TaskKind, TaskState};
use workflows::agents::{API_KEY_HEADER, EmbeddedAgents, Role};

use crate::support::{Desk, Receiver, dead_url, result_of, send, serve, task};

/// What the client makes of an agent that answers with `status` and `body`.
async fn answer(status: u16, body: &str) -> Result<TaskState, DispatchError> {
    let status = StatusCode::from_u16(status).unwrap();
    let body = body.to_owned();
    let agent = serve(Router::new().route("/", post(async move || (status, body)))).await;
    let research = task(TaskKind::Research, "http://127.0.0.1/callbacks", "very-secret-token");
    A2aClient::new().send(&agent, &research).await.map(|accepted| accepted.state)
}

fn rpc(body: Value) -> String {
    let mut answer = json!({ "jsonrpc": "2.0", "id": "wf-1:research" });
    answer.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    answer.to_string()
}

#[tokio::test]
async fn acceptances_are_recognised_however_they_are_worded() {
    let submitted = rpc(json!({ "result": { "id": "x", "status": { "state": "submitted" } } }));
    assert_eq!(answer(200, &submitted).await, Ok(TaskState::Submitted));
    assert_eq!(answer(202, &rpc(json!({ "result": { "accepted": true } }))).await, Ok(TaskState::Unknown));
}

#[tokio::test]
async fn whatever_is_no_acceptance_is_an_error_and_only_some_are_worth_a_retry() {
    for (status, is_retryable) in
        [(429, true), (500, true), (503, true), (400, false), (404, false), (302, false)]
    {
        let error = answer(status, "no").await.unwrap_err();
        assert!(matches!(&error, DispatchError::Status { status: it, .. } if *it == status), "{error}");
        assert_eq!(error.is_retryable(), is_retryable, "{status}");
    }
    for body in [
        String::new(),
        "<html>".to_owned(),
        json!({ "result": {} }).to_string(),
        json!({ "jsonrpc": "1.0", "id": "wf-1:research", "result": {} }).to_string(),
        json!({ "jsonrpc": "2.0", "id": "another", "result": {} }).to_string(),
        rpc(json!({})),
        rpc(json!({ "result": {}, "error": { "code": 1, "message": "x" } })),
    ] {
        let error = answer(200, &body).await.unwrap_err();
        assert!(matches!(error, DispatchError::NotJsonRpc { .. }), "{body}: {error}");
        assert!(!error.is_retryable());
    }
    let error = answer(200, &rpc(json!({ "error": { "code": -32602, "message": "no" } }))).await.unwrap_err();
    assert!(matches!(error, DispatchError::Rpc { code: -32602, .. }) && !error.is_retryable());
    let error =
        answer(200, &rpc(json!({ "result": { "status": { "state": "rejected" } } }))).await.unwrap_err();
    assert!(matches!(error, DispatchError::Refused { state: TaskState::Rejected, .. }));
}

#[tokio::test]
async fn an_agent_out_of_reach_is_worth_a_retry_and_a_wrong_url_is_not() {
    let research = task(TaskKind::Research, "http://127.0.0.1/callbacks", "t");
    let error = A2aClient::new().send(&dead_url().await, &research).await.unwrap_err();
    assert!(matches!(error, DispatchError::Transport { .. }) && error.is_retryable(), "{error}");

    let silent = Router::new().route("/", post(std::future::pending::<String>));
    let client = A2aClient::with_timeout(Duration::from_millis(50));
    let error = client.send(&serve(silent).await, &research).await.unwrap_err();
    assert!(error.is_retryable() && error.to_string().contains("timed out"), "{error}");

    for endpoint in ["nowhere", "https://127.0.0.1/", "ftp://127.0.0.1/"] {
        let error = A2aClient::new().send(endpoint, &research).await.unwrap_err();
        assert!(matches!(error, DispatchError::InvalidEndpoint { .. }) && !error.is_retryable(), "{error}");
    }
}

#[tokio::test]
async fn errors_survive_storage_and_never_hold_the_token() {
    let echo = "you sent me very-secret-token";
    for error in [
        answer(500, echo).await.unwrap_err(),
        answer(200, echo).await.unwrap_err(),
        answer(200, &rpc(json!({ "error": { "code": 1, "message": echo } }))).await.unwrap_err(),
    ] {
        let stored = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<DispatchError>(&stored).unwrap(), error);
        assert!(!stored.contains("very-secret") && !error.to_string().contains("very-secret"), "{error}");
    }
}

/// Posts `body` to the researcher; the status and the JSON-RPC error code.
async fn post_raw(agents: &EmbeddedAgents, content_type: &str, body: String) -> (u16, Option<i64>) {
    let request =
        reqwest::Client::builder().no_proxy().build().unwrap().post(agents.endpoint(Role::Researcher));
    let answer = request.header("content-type", content_type).body(body).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body.pointer("/error/code").and_then(Value::as_i64))
}

#[tokio::test]
async fn agents_answer_bad_requests_with_the_codes_of_json_rpc() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let good = task(TaskKind::Research, "http://127.0.0.1:9/callbacks", "t");
    let request = |change: &dyn Fn(&mut Value)| {
        let mut request = serde_json::to_value(workflows::a2a::encode_send(&good)).unwrap();
        change(&mut request);
        request.to_string()
    };
    let document = |change: &dyn Fn(&mut Value)| {
        let mut document = serde_json::to_value(&good).unwrap();
        change(&mut document);
        request(&|request| request["params"]["message"]["parts"][0]["text"] = document.to_string().into())
    };
    let cases = [
        ("{".to_owned(), -32700),
        ("[]".to_owned(), -32600),
        (request(&|it| it["jsonrpc"] = "1.0".into()), -32600),
        (request(&|it| it["id"] = Value::Null), -32600),
        (request(&|it| it["method"] = "tasks/get".into()), -32601),
        (request(&|it| it["params"] = json!({})), -32602),
        (request(&|it| it["params"]["message"]["parts"] = json!([])), -32602),
        (request(&|it| it["params"]["message"]["parts"][0]["text"] = "no json".into()), -32602),
        (document(&|it| it["task"] = "sing".into()), -32602),
        (document(&|it| it["task"] = "write".into()), -32602),
        (document(&|it| it["topic"] = " ".into()), -32602),
        (document(&|it| it["callback_token"] = "".into()), -32602),
        (document(&|it| it["callback_url"] = "https://example.com/".into()), -32602),
        (document(&|it| it["parameters"]["depth"] = "bottomless".into()), -32602),
    ];
    for (body, code) in cases {
        assert_eq!(post_raw(&agents, "application/json", body.clone()).await, (200, Some(code)), "{body}");
    }
    assert_eq!(post_raw(&agents, "text/plain", request(&|_| {})).await, (415, None));
    assert!(desk.stored(Role::Researcher).is_empty(), "nothing was accepted");
    agents.shutdown().await;
}

#[tokio::test]
async fn the_api_key_goes_to_the_receiver_it_was_given_for_and_to_no_other() {
    let desk = Desk::new();
    let (mut own, mut foreign) = (Receiver::start().await, Receiver::start().await);
    let mut config = desk.config();
    config.api_key = Some("key".to_owned());
    config.callback_url = Some(own.url.clone());
    let agents = EmbeddedAgents::start(config).await.unwrap();
    send(&agents, Role::Researcher, &task(TaskKind::Research, &own.url, "t1")).await;
    assert_eq!(own.next().await.headers[API_KEY_HEADER], "key");
    send(&agents, Role::Researcher, &task(TaskKind::Research, &foreign.url, "t2")).await;
    assert!(!foreign.next().await.headers.contains_key(API_KEY_HEADER));
    agents.shutdown().await;
}

#[tokio::test]
async fn long_work_sends_heartbeats_and_then_its_outcome() {
    let desk = Desk::new();
    let mut config = desk.config();
    config.heartbeat_interval = Duration::from_millis(20);
    let agents = EmbeddedAgents::start(config).await.unwrap();
    let mut receiver = Receiver::start().await;

    // The input comes once three heartbeats have been seen.
    let (release, withheld) = tokio::sync::watch::channel(false);
    let found = task(TaskKind::Research, &receiver.url, "found");
    let found = {
        send(&agents, Role::Researcher, &found).await;
        receiver.outcome().await["result"].clone()
    };
    let store = Router::new().route(
        "/",
        axum::routing::get(async move || {
            withheld.clone().wait_for(|released| *released).await.unwrap();
            axum::Json(found)
        }),
    );
    let mut analyze = task(TaskKind::Analyze, &receiver.url, "t");
    let reference =
        json!({ "artifact_type": "s3_reference", "s3_uri": "s3://a/b", "url": serve(store).await });
    analyze.inputs.research = Some(serde_json::from_value(reference).unwrap());
    send(&agents, Role::Analyst, &analyze).await;
    for _ in 0..3 {
        let body = receiver.next().await.body;
        assert_eq!((&body["token"], &body["status"]), (&json!("t"), &json!("HEARTBEAT")));
    }
    release.send_replace(true);
    assert_eq!(receiver.outcome().await["status"], "SUCCESS");

    // And none after it.
    let other = task(TaskKind::Research, &receiver.url, "other");
    result_of(&agents, &mut receiver, Role::Researcher, &other).await;
    agents.shutdown().await;
}
