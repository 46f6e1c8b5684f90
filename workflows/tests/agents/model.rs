//! The writer with a model behind it.

use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use workflows::a2a::{TaskInput, TaskKind};
use workflows::agents::{EmbeddedAgents, LlmConfig, Report, Role};

use crate::support::{Desk, Receiver, analysed, send, serve, task};

/// The outcome of writing with a model that answers with `status` and `content`, and what it was asked.
async fn write_with(status: u16, content: &str) -> (Value, Value) {
    let (asked, mut questions) = mpsc::unbounded_channel();
    let answer = json!({ "choices": [{ "message": { "role": "assistant", "content": content } }] });
    let status = StatusCode::from_u16(status).unwrap();
    let routes = Router::new().route(
        "/v1/chat/completions",
        post(async move |headers: HeaderMap, Json(question): Json<Value>| {
            let _ = asked.send((headers, question));
            (status, Json(answer))
        }),
    );
    let base_url = format!("{}v1/", serve(routes).await);

    let desk = Desk::new();
    let mut config = desk.config();
    config.llm = Some(LlmConfig { base_url, model: "small".to_owned(), api_key: Some("key".to_owned()) });
    let agents = EmbeddedAgents::start(config).await.unwrap();
    let mut receiver = Receiver::start().await;
    let (_, analysis) = analysed(&agents, &mut receiver).await;
    let mut write = task(TaskKind::Write, &receiver.url, "w");
    write.parameters.word_limit = Some(120);
    write.inputs.analysis = Some(TaskInput::Inline(analysis));
    send(&agents, Role::Writer, &write).await;
    let outcome = receiver.outcome().await;
    agents.shutdown().await;
    let (headers, question) = questions.recv().await.unwrap();
    assert_eq!(headers["authorization"], "Bearer key");
    (outcome, question)
}

#[tokio::test]
async fn a_model_writes_from_the_statements_and_the_sources_are_ours() {
    let (outcome, question) =
        write_with(200, "## Summary\n\nCheckpoints are durable [1]. This was made up [99].").await;
    assert_eq!(question["model"], "small");
    let material = question["messages"][1]["content"].as_str().unwrap();
    assert!(material.contains("A checkpoint that was acknowledged is never lost. ["), "{material}");

    let report: Report = serde_json::from_value(outcome["result"].clone()).unwrap();
    assert!(!report.extractive);
    assert!(report.report.contains("Checkpoints are durable [1]."), "{}", report.report);
    assert!(!report.report.contains("[99]"));
    assert_eq!(report.references.len(), 1);
    assert!(report.report.contains(&format!("- [1] `{}:", report.references[0].file)));
}

#[tokio::test]
async fn a_model_that_writes_too_much_is_cut_to_the_limit() {
    let long = format!("## Summary\n\n{}", "Checkpoints are durable [1]. ".repeat(200));
    let (outcome, _) = write_with(200, &long).await;
    let report: Report = serde_json::from_value(outcome["result"].clone()).unwrap();
    assert!(report.word_count <= 120, "{}", report.word_count);
    assert!(report.word_count > 100, "room is used: {}", report.word_count);
    assert_eq!(report.report.split_whitespace().count() as u64, report.word_count);
}

#[tokio::test]
async fn a_model_that_fails_or_cites_nothing_fails_the_task() {
    for (status, content) in [(400, "x"), (200, ""), (200, "Checkpoints are durable.")] {
        let (outcome, _) = write_with(status, content).await;
        assert_eq!(
            (&outcome["status"], &outcome["error"]["type"]),
            (&json!("FAILURE"), &json!("Model")),
            "{outcome}"
        );
    }
}
