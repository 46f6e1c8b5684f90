//! What an accepted task survives, and that it is answered once.

use axum::{Json, Router, routing::get};
use serde_json::json;
use tokio::sync::watch;
use workflows::a2a::{A2aClient, ArtifactReference, ArtifactType, TaskInput, TaskKind};
use workflows::agents::{AgentsError, EmbeddedAgents, Role};

use crate::support::{Desk, Receiver, dead_url, result_of, send, serve, task};

#[tokio::test]
async fn a_task_whose_agent_dies_while_it_works_is_done_by_the_next() {
    let desk = Desk::new();
    // The input of the task is withheld until the first agents are gone.
    let (release, withheld) = watch::channel(false);
    let store = Router::new().route(
        "/research",
        get(async move || {
            let mut withheld = withheld.clone();
            withheld.wait_for(|released| *released).await.unwrap();
            Json(json!({ "findings": [{ "text": "A checkpoint is durable.", "file": "a.md", "line_start": 1, "line_end": 1 }] }))
        }),
    );
    let store = serve(store).await;
    let mut receiver = Receiver::start().await;
    let mut analyze = task(TaskKind::Analyze, &receiver.url, "t");
    analyze.inputs.research = Some(TaskInput::Reference(ArtifactReference {
        artifact_type: ArtifactType::S3Reference,
        s3_uri: "s3://artifacts/research".to_owned(),
        url: Some(format!("{store}research")),
    }));

    let agents = desk.start().await;
    send(&agents, Role::Analyst, &analyze).await;
    assert_eq!(desk.stored(Role::Analyst).len(), 1, "the task was stored before it was accepted");
    drop(agents);
    release.send_replace(true);

    let agents = desk.start().await;
    let outcome = receiver.outcome().await;
    assert_eq!((&outcome["status"], &outcome["token"]), (&json!("SUCCESS"), &json!("t")));
    desk.until_nothing_stored(Role::Analyst).await;
    agents.shutdown().await;
    assert!(!receiver.has_more(), "one callback for one task");
}

#[tokio::test]
async fn an_outcome_nobody_took_is_delivered_to_the_callback_url_of_the_next_process() {
    let desk = Desk::new();
    let agents = desk.start().await;
    send(&agents, Role::Researcher, &task(TaskKind::Research, &dead_url().await, "t")).await;
    agents.shutdown().await;
    assert_eq!(desk.stored(Role::Researcher).len(), 1);

    let mut receiver = Receiver::start().await;
    let mut config = desk.config();
    config.callback_url = Some(receiver.url.clone());
    let agents = EmbeddedAgents::start(config).await.unwrap();
    assert_eq!(receiver.outcome().await["status"], "SUCCESS");
    desk.until_nothing_stored(Role::Researcher).await;
    agents.shutdown().await;
}

#[tokio::test]
async fn a_callback_is_repeated_until_it_is_taken_and_says_the_same_each_time() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::answering(&[500, 429, 503, 200]).await;
    send(&agents, Role::Researcher, &task(TaskKind::Research, &receiver.url, "t")).await;
    let first = receiver.next().await.body;
    for _ in 0..3 {
        assert_eq!(receiver.next().await.body, first);
    }
    desk.until_nothing_stored(Role::Researcher).await;
    assert!(!receiver.has_more());
    agents.shutdown().await;
}

#[tokio::test]
async fn a_refused_callback_is_given_up() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::answering(&[409]).await;
    send(&agents, Role::Researcher, &task(TaskKind::Research, &receiver.url, "t")).await;
    receiver.next().await;
    desk.until_nothing_stored(Role::Researcher).await;
    assert!(!receiver.has_more());
    agents.shutdown().await;
}

#[tokio::test]
async fn a_result_too_large_for_the_receiver_becomes_a_failure() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::answering(&[413]).await;
    send(&agents, Role::Researcher, &task(TaskKind::Research, &receiver.url, "t")).await;
    assert_eq!(receiver.next().await.body["status"], "SUCCESS");
    let second = receiver.next().await.body;
    assert_eq!((&second["status"], &second["error"]["type"]), (&json!("FAILURE"), &json!("ResultTooLarge")));
    agents.shutdown().await;
}

#[tokio::test]
async fn a_task_dispatched_again_is_the_same_task() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let mut receiver = Receiver::start().await;
    let research = task(TaskKind::Research, &receiver.url, "t");
    let client = A2aClient::new();
    let endpoint = agents.endpoint(Role::Researcher);
    let (first, second) = tokio::join!(client.send(endpoint, &research), client.send(endpoint, &research));
    assert_eq!(first.unwrap(), second.unwrap());
    receiver.outcome().await;
    desk.until_nothing_stored(Role::Researcher).await;

    // Once more after it was answered, then another task: only that one is answered.
    send(&agents, Role::Researcher, &research).await;
    let other = task(TaskKind::Research, &receiver.url, "other");
    result_of(&agents, &mut receiver, Role::Researcher, &other).await;
    agents.shutdown().await;
    assert!(!receiver.has_more());
}

#[tokio::test]
async fn an_unreadable_task_file_is_set_aside_and_the_others_are_done() {
    let desk = Desk::new();
    let agents = desk.start().await;
    send(&agents, Role::Researcher, &task(TaskKind::Research, &dead_url().await, "t")).await;
    agents.shutdown().await;
    let directory = desk.data.path().join("tasks/researcher");
    std::fs::write(directory.join("broken.json"), "{").unwrap();
    std::fs::write(directory.join("half.tmp"), "{").unwrap();

    let mut receiver = Receiver::start().await;
    let mut config = desk.config();
    config.callback_url = Some(receiver.url.clone());
    let agents = EmbeddedAgents::start(config).await.unwrap();
    receiver.outcome().await;
    agents.shutdown().await;
    let mut left: Vec<_> =
        desk.stored(Role::Researcher).iter().map(|it| it.extension().unwrap().to_owned()).collect();
    left.retain(|extension| extension != "json");
    assert_eq!(left, ["unreadable"]);
}

#[cfg(unix)]
#[tokio::test]
async fn stored_tasks_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    let agents = desk.start().await;
    send(&agents, Role::Researcher, &task(TaskKind::Research, &dead_url().await, "t")).await;
    let stored = desk.stored(Role::Researcher);
    let mode = std::fs::metadata(&stored[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    agents.shutdown().await;
}

#[tokio::test]
async fn a_data_directory_has_one_set_of_agents() {
    let desk = Desk::new();
    let agents = desk.start().await;
    let second = EmbeddedAgents::start(desk.config()).await;
    assert!(matches!(second, Err(AgentsError::DataDirInUse { .. })), "{second:?}");
    agents.shutdown().await;
    desk.start().await.shutdown().await;
}
