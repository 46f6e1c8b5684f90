//! Executions that ended long ago.

use std::{path::Path, time::Duration};

use durable_cli::{DevServer, Retention};
use serde_json::json;

use crate::support::{Client, LIMIT, execution_path, scripted};

async fn until_gone(client: &Client, arn: &str) {
    let gone = async {
        while client.get(&execution_path(arn, "")).await.status != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, gone).await.expect("the execution is removed");
}

fn logs(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder.join("logs")).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| !name.to_string_lossy().starts_with('@')).count()
}

#[tokio::test]
async fn executions_are_removed_with_their_logs_when_their_time_is_over_and_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut kept = scripted();
    kept.retention = Some(Retention::For(Duration::from_secs(30 * 24 * 60 * 60)));
    let server = DevServer::builder()
        .data(folder.path())
        .retention(Retention::For(Duration::from_millis(300)))
        .function("brief", scripted())
        .function("kept", kept)
        .start();
    let server = server.await.unwrap();
    let client = Client::new(server.url());
    let done = json!({ "script": [{ "print": "here" }] });
    let waits = json!({ "script": [{ "print": "here" }, { "wait": 3600 }] });
    let brief = client.start("brief", None, &done).await;
    let running = client.start("brief", None, &waits).await;
    let kept = client.start("kept", None, &done).await;
    client.event(&running, "WaitStarted").await;
    client.ended(&kept).await;
    assert_eq!(client.execution(&kept).await["DurableConfig"]["RetentionPeriodInDays"], 30);
    until_gone(&client, &brief).await;
    assert_eq!(client.execution(&running).await["Status"], "RUNNING");
    assert_eq!(client.execution(&kept).await["Status"], "SUCCEEDED");
    let removed = async {
        while logs(folder.path()) > 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, removed).await.expect("the log is removed");
    // The others' logs are as old by now.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(logs(folder.path()), 2);
}

#[tokio::test]
async fn the_log_of_a_deleted_execution_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = DevServer::builder().data(folder.path()).function("f", scripted()).start().await.unwrap();
    let client = Client::new(server.url());
    let arn = client.start("f", None, &json!({ "script": [{ "print": "here" }] })).await;
    client.ended(&arn).await;
    assert_eq!(logs(folder.path()), 1);
    let deleted = client.send(reqwest::Method::DELETE, &execution_path(&arn, ""), &[], b"").await;
    assert_eq!(deleted.status, 202);
    let removed = async {
        while logs(folder.path()) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, removed).await.expect("the log is removed");
    assert_eq!(
        client.execution(&client.start("f", None, &json!({ "script": [] })).await).await["DurableConfig"]["RetentionPeriodInDays"],
        14
    );
}
