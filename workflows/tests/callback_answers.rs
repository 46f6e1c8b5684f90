//! Each row of the callback handler's table of answers, over HTTP.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod support;

use serde_json::{Value, json};
use support::TestHost;
use workflows::callback::Authentication;

fn success(token: &str, result: &Value) -> Value {
    json!({ "token": token, "status": "SUCCESS", "result": result })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_delivered_once_and_the_first_one_stands() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let (id, token) = host.start_to_first_task("topic").await;

    let (status, answer) = host.callback(&success(&token, &json!({ "findings": [1] }))).await;
    assert_eq!(
        (status, &answer["status"], &answer["token"]),
        (200, &json!("callback_delivered"), &json!(token))
    );
    let timestamp = answer["timestamp"].as_str().unwrap();
    assert!(
        timestamp.len() == 24 && timestamp.ends_with('Z') && timestamp.as_bytes()[19] == b'.',
        "{timestamp}"
    );

    // The same outcome, written otherwise.
    let again = format!(r#"{{"status":"SUCCESS","result":{{ "findings":[ 1 ] }},"token":"{token}"}}"#);
    let (status, answer) = host.send(host.request("POST", "/callbacks").body(again)).await;
    assert_eq!((status, &answer["status"]), (200, &json!("already_delivered")));

    let (status, answer) = host.callback(&success(&token, &json!({ "findings": [2] }))).await;
    assert_eq!(status, 409, "{answer}");
    let (status, _) = host.callback(&json!({ "token": token, "status": "FAILURE", "error": "no" })).await;
    assert_eq!(status, 409);

    // The analyst was given the first outcome, and only that.
    let task = host.agents.next_task().await;
    assert_eq!(task["inputs"]["research"], json!({ "findings": [1] }));
    assert!(host.agents.is_idle().await);

    let (_, view) = host.get(&format!("/workflows/{id}/operations")).await;
    let answers: Vec<_> =
        view["callbacks"].as_array().unwrap().iter().map(|it| it["answer"].clone()).collect();
    assert_eq!(
        answers,
        ["callback_delivered", "already_delivered", "callback_conflict", "callback_conflict"]
    );
    assert!(!view.to_string().contains(&token), "tokens are shown to nobody");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_is_recorded_and_moves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let (id, token) = host.start_to_first_task("topic").await;
    let (status, answer) = host.callback(&json!({ "token": token, "status": "HEARTBEAT" })).await;
    assert_eq!((status, &answer["status"]), (200, &json!("heartbeat_recorded")));
    let workflow = host.until_status(&id, "PENDING").await;
    assert_eq!(workflow["current_step"], "research_phase_await");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_fails_the_workflow_with_what_the_agent_said() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let (id, token) = host.start_to_first_task("topic").await;
    let error = json!({ "type": "CorpusUnreadable", "message": "can't read /home/me/secret.md" });
    let (status, answer) =
        host.callback(&json!({ "token": token, "status": "FAILURE", "error": error })).await;
    assert_eq!((status, &answer["status"]), (200, &json!("callback_delivered")));
    let workflow = host.until_status(&id, "FAILED").await;
    assert_eq!(workflow["error"], "the researcher failed: can't read [path]");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_table_is_refused_and_leaves_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let (id, token) = host.start_to_first_task("topic").await;
    for (body, field) in [
        (String::new(), "body"),
        ("{".to_owned(), "body"),
        ("[]".to_owned(), "body"),
        (json!({ "status": "HEARTBEAT" }).to_string(), "token"),
        (json!({ "token": "x".repeat(1025), "status": "HEARTBEAT" }).to_string(), "token"),
        (json!({ "token": token, "status": "DONE" }).to_string(), "status"),
        (json!({ "token": token, "status": "SUCCESS" }).to_string(), "result"),
        (json!({ "token": token, "status": "FAILURE", "error": 7 }).to_string(), "error"),
    ] {
        let (status, answer) = host.send(host.request("POST", "/callbacks").body(body.clone())).await;
        assert_eq!(status, 400, "{body}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("{field}: ")), "{body}: {error}");
    }
    let (_, view) = host.get(&format!("/workflows/{id}/operations")).await;
    assert_eq!(view["callbacks"], json!([]));
    // And the token still takes its outcome.
    host.succeed(&token, &json!({ "findings": [1] })).await;
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_token_is_stored_without_complaint() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    for _ in 0..2 {
        let (status, answer) = host.callback(&success("nobody-waits-for-this", &json!(1))).await;
        assert_eq!((status, &answer["status"]), (200, &json!("callback_stored")), "{answer}");
    }
    let (status, _) = host.callback(&success("nobody-waits-for-this", &json!(2))).await;
    assert_eq!(status, 409);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_after_the_end_is_stored_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let (id, token) = host.start_to_first_task("topic").await;
    let (status, cancelled) = host.delete(&format!("/workflows/{id}")).await;
    assert_eq!((status, &cancelled["status"]), (200, &json!("CANCELLED")));

    for _ in 0..2 {
        let (status, answer) = host.callback(&success(&token, &json!({ "findings": [1] }))).await;
        assert_eq!((status, &answer["status"]), (200, &json!("callback_expired")), "{answer}");
    }
    let (_, workflow) = host.get(&format!("/workflows/{id}")).await;
    assert_eq!(workflow["status"], "CANCELLED");
    assert!(host.agents.is_idle().await);
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_limit_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let body = success("t", &json!("x".repeat(workflows::callback::MAX_CALLBACK_BYTES)));
    let (status, answer) = host.callback(&body).await;
    assert_eq!(status, 413, "{answer}");
    assert!(answer["error"].is_string());
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_travels_by_reference() {
    let directory = tempfile::tempdir().unwrap();
    let host = TestHost::start(directory.path()).await;
    let (id, token) = host.start_to_first_task("topic").await;
    let large = json!({ "findings": "f".repeat(300 * 1024) });
    host.succeed(&token, &large).await;

    let task = host.agents.next_task().await;
    let reference = &task["inputs"]["research"];
    assert_eq!(reference["artifact_type"], "s3_reference");
    assert!(reference["s3_uri"].as_str().unwrap().starts_with("s3://local/"), "{reference}");
    let link = reference["url"].as_str().unwrap().strip_prefix(&host.url).unwrap();
    assert_eq!(host.get(link).await, (200, large));
    let (status, _) = host.get(&link.replace("signature=", "signature=0")).await;
    assert_eq!(status, 403);

    let operations = host.operations(&id).await;
    assert!(operations.contains(&"research_phase_fetch_artifact SUCCEEDED".to_owned()), "{operations:?}");
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_key_is_required() {
    let directory = tempfile::tempdir().unwrap();
    let authentication = Authentication { api_key: Some("k".repeat(16)), ..Authentication::default() };
    let agents = support::ScriptedAgents::start().await;
    let host = TestHost::start_with(directory.path(), agents, authentication).await;
    let body = success("t", &json!(1)).to_string();
    for (key, expected) in [(None, 401), (Some("k".repeat(15)), 401), (Some("k".repeat(16)), 200)] {
        let mut request = host.request("POST", "/callbacks").body(body.clone());
        if let Some(key) = key {
            request = request.header("x-api-key", key);
        }
        assert_eq!(host.send(request).await.0, expected);
    }
    host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_callbacks_at_the_same_time_are_delivered_once() {
    let directory = tempfile::tempdir().unwrap();
    let host = std::sync::Arc::new(TestHost::start(directory.path()).await);
    let (_, token) = host.start_to_first_task("topic").await;
    let body = success(&token, &json!({ "findings": [1] }));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (host, body) = (host.clone(), body.clone());
        calls.spawn(async move { host.callback(&body).await });
    }
    for (status, answer) in calls.join_all().await {
        assert_eq!(status, 200, "{answer}");
        let word = answer["status"].as_str().unwrap();
        assert!(["callback_delivered", "already_delivered"].contains(&word), "{word}");
    }
    host.agents.next_task().await;
    assert!(host.agents.is_idle().await, "one delivery, one next task");
}
