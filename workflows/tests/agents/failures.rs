//! Work that can't be done is a failure with a name, and start-up that can't work is an error.

use serde_json::{Value, json};
use workflows::a2a::{ArtifactReference, ArtifactType, Task, TaskInput, TaskKind};
use workflows::agents::{AgentsConfig, AgentsError, EmbeddedAgents, LlmConfig, Role};

use crate::support::{Desk, Receiver, send, serve, task, write};

/// The `error` of the failure that `task` ends with.
async fn failure(desk: &Desk, role: Role, change: impl FnOnce(&mut Task)) -> Value {
    let agents = desk.start().await;
    let mut receiver = Receiver::start().await;
    let kind = match role {
        Role::Researcher => TaskKind::Research,
        Role::Analyst => TaskKind::Analyze,
        Role::Writer => TaskKind::Write,
    };
    // A token is one task for ever, also for the agents started after these.
    let token = uuid::Uuid::new_v4().to_string();
    let mut task = task(kind, &receiver.url, &token);
    change(&mut task);
    send(&agents, role, &task).await;
    let outcome = receiver.outcome().await;
    assert_eq!(outcome["status"], "FAILURE", "{outcome}");
    assert_eq!(outcome["token"], token);
    assert!(!outcome.to_string().contains(desk.data.path().to_str().unwrap()), "{outcome}");
    agents.shutdown().await;
    outcome["error"].clone()
}

#[tokio::test]
async fn a_topic_the_corpus_does_not_know_is_nothing_found() {
    let desk = Desk::new();
    let error =
        failure(&desk, Role::Researcher, |task| task.topic = "medieval falconry workflow".into()).await;
    assert_eq!(error["type"], "NothingFound");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("the corpus never mentions `medieval`, `falconry`"), "{message}");

    let error = failure(&desk, Role::Researcher, |task| task.topic = "what is it?".into()).await;
    assert_eq!(error["type"], "NothingFound");
}

#[tokio::test]
async fn a_restriction_that_leaves_nothing_says_so() {
    let desk = Desk::new();
    let error = failure(&desk, Role::Researcher, |task| {
        task.topic = "soup salt".into();
        task.parameters.sources = vec!["html".into()];
    })
    .await;
    assert_eq!(error["type"], "NothingFound");
    assert!(error["message"].as_str().unwrap().contains("widen `sources`"));
}

#[tokio::test]
async fn inputs_that_are_missing_wrong_or_out_of_reach_are_named() {
    let desk = Desk::new();
    let error = failure(&desk, Role::Analyst, |_| {}).await;
    assert_eq!(error["type"], "InvalidInput");
    assert!(error["message"].as_str().unwrap().contains("`inputs.research`"));

    let error = failure(&desk, Role::Writer, |task| {
        task.inputs.analysis = Some(TaskInput::Inline(json!({ "unexpected": true })));
    })
    .await;
    assert_eq!(error["type"], "InvalidInput");

    let error = failure(&desk, Role::Analyst, |task| {
        task.inputs.research = Some(TaskInput::Inline(json!({ "findings": [] })));
    })
    .await;
    assert_eq!(error["type"], "InvalidInput");

    // A server that has no such artifact, and a reference that names no server.
    let empty = serve(axum::Router::new()).await;
    for url in [Some(format!("{empty}gone?signature=secret")), None] {
        let reference = ArtifactReference {
            artifact_type: ArtifactType::S3Reference,
            s3_uri: "s3://artifacts/gone".to_owned(),
            url,
        };
        let error = failure(&desk, Role::Analyst, |task| {
            task.inputs.research = Some(TaskInput::Reference(reference));
        })
        .await;
        assert_eq!(error["type"], "InputUnavailable");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("s3://artifacts/gone") && !message.contains("secret"), "{message}");
    }
}

#[tokio::test]
async fn a_word_limit_without_room_for_a_statement_is_refused() {
    let desk = Desk::new();
    let error = failure(&desk, Role::Writer, |task| {
        task.parameters.word_limit = Some(10);
        task.inputs.analysis = Some(TaskInput::Inline(json!({ "key_statements": [], "references": [] })));
    })
    .await;
    assert_eq!(error["type"], "InvalidInput");
    assert!(error["message"].as_str().unwrap().contains("`parameters.word_limit` is 10"));
}

#[tokio::test]
async fn a_corpus_without_documents_fails_the_task() {
    let desk = Desk { corpus: tempfile::tempdir().unwrap(), data: tempfile::tempdir().unwrap() };
    let error = failure(&desk, Role::Researcher, |_| {}).await;
    assert_eq!(error["type"], "CorpusUnavailable");
}

#[tokio::test]
async fn agents_do_not_start_without_a_usable_corpus_or_url() {
    let desk = Desk::new();
    let start = async |change: &dyn Fn(&mut AgentsConfig)| {
        let mut config = desk.config();
        change(&mut config);
        EmbeddedAgents::start(config).await.expect_err("agents that can't work don't start")
    };
    let missing = start(&|config| config.corpus = config.corpus.join("missing")).await;
    assert!(matches!(missing, AgentsError::CorpusMissing { .. }), "{missing}");

    write(desk.corpus.path(), "file.md", "text");
    let file = start(&|config| config.corpus = config.corpus.join("file.md")).await;
    assert!(matches!(file, AgentsError::CorpusNotADirectory { .. }), "{file}");

    let url = start(&|config| config.callback_url = Some("https://example.com/callbacks".into())).await;
    assert!(matches!(url, AgentsError::InvalidUrl { what: "callback URL", .. }), "{url}");

    let model = LlmConfig { base_url: "https://example.com/v1".into(), model: "m".into(), api_key: None };
    let model = start(&|config| config.llm = Some(model.clone())).await;
    assert!(matches!(model, AgentsError::InvalidUrl { .. }), "{model}");

    let blocked = desk.data.path().join("blocked");
    std::fs::write(&blocked, "a file").unwrap();
    let blocked = start(&|config| config.data_dir = blocked.join("below")).await;
    assert!(matches!(blocked, AgentsError::DataDir { .. }), "{blocked}");
}
