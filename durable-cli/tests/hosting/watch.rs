//! Rebuilding and restarting when files change.

use std::{fs, time::Duration};

use durable_cli::DevServer;
use serde_json::{Value, json};

use crate::support::{Client, LIMIT, scripted};

async fn until_another(client: &Client, script: &Value, first: &Value) -> Value {
    let deadline = tokio::time::Instant::now() + LIMIT;
    loop {
        let now = client.run("f", script).await;
        if now != *first {
            return now;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {first}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_change_rebuilds_and_restarts_the_function() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("src");
    fs::create_dir(&source).unwrap();
    let mut config = scripted();
    config.directory = Some(folder.path().to_owned());
    config.build = Some("cat src/version > built".into());
    config.watch = vec![source.clone()];
    let server = DevServer::builder().function("f", config).watch().start().await.unwrap();
    let client = Client::new(server.url());
    let script = json!({ "script": [{ "pid": true }] });
    let first = client.run("f", &script).await;
    assert_eq!(client.run("f", &script).await, first);
    fs::write(source.join("version"), "2").unwrap();
    let second = until_another(&client, &script, &first).await;
    assert_eq!(fs::read_to_string(folder.path().join("built")).unwrap(), "2");

    // A build that fails leaves the function as it is.
    fs::remove_file(source.join("version")).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(client.run("f", &script).await, second);
}

#[tokio::test]
async fn a_new_program_is_used_from_the_next_invocation_on() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("bootstrap");
    let install = || {
        let next = folder.path().join("next");
        fs::copy(env!("CARGO_BIN_EXE_scripted-function"), &next).unwrap();
        fs::rename(&next, &program).unwrap();
    };
    install();
    let mut config = scripted();
    config.command = vec!["./bootstrap".into()];
    config.directory = Some(folder.path().to_owned());
    let server = DevServer::builder().function("f", config).watch().start().await.unwrap();
    let client = Client::new(server.url());
    let script = json!({ "script": [{ "pid": true }] });
    let first = client.run("f", &script).await;
    install();
    until_another(&client, &script, &first).await;
}
