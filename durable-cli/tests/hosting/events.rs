//! Events of plain functions that fail.

use std::{fs, path::Path, time::Duration};

use durable_cli::DevServer;
use serde_json::json;

use crate::support::{Answer, Client, LIMIT, scripted, server_with};

/// A plain function `f`, its data and its attempts in `folder`.
async fn start(folder: &Path) -> (DevServer, Client) {
    let mut config = scripted();
    config.durable = false;
    config.concurrency = 1;
    config.event_retry_delay = Duration::from_millis(200);
    let server = DevServer::builder().data(folder.join("data")).function("f", config);
    let server = server.start().await.expect("the server starts");
    let client = Client::new(server.url());
    (server, client)
}

async fn send_event(client: &Client, folder: &Path) -> Answer {
    let event = json!({ "attempt": folder }).to_string();
    client.invoke("f", &[("X-Amz-Invocation-Type", "Event")], event.as_bytes()).await
}

/// The request ids of all attempts, once there are so many.
async fn attempts(folder: &Path, count: usize) -> Vec<String> {
    let read = async {
        loop {
            let text = fs::read_to_string(folder.join("attempts")).unwrap_or_default();
            if text.lines().count() >= count {
                return text.lines().map(str::to_owned).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, read).await.expect("the function is invoked")
}

/// Waits until no event is kept any more.
async fn none_kept(folder: &Path) {
    let none = async {
        while fs::read_dir(folder.join("data/events")).unwrap().next().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, none).await.expect("events are forgotten in the end");
}

#[tokio::test]
async fn an_event_that_fails_runs_twice_more_under_its_own_request_id() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken"), "").unwrap();
    let (_server, client) = start(folder.path()).await;
    assert_eq!(send_event(&client, folder.path()).await.status, 202);
    let ids = attempts(folder.path(), 3).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    none_kept(folder.path()).await;
    assert_eq!(attempts(folder.path(), 3).await.len(), 3, "and not once more");
}

#[tokio::test]
async fn an_event_that_works_in_the_end_runs_no_more() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken"), "").unwrap();
    let (_server, client) = start(folder.path()).await;
    send_event(&client, folder.path()).await;
    attempts(folder.path(), 1).await;
    fs::remove_file(folder.path().join("broken")).unwrap();
    none_kept(folder.path()).await;
    assert_eq!(attempts(folder.path(), 2).await.len(), 2);
}

#[tokio::test]
async fn an_event_that_was_accepted_runs_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("slow"), "").unwrap();
    let (server, client) = start(folder.path()).await;
    assert_eq!(send_event(&client, folder.path()).await.status, 202);
    let first = attempts(folder.path(), 1).await;
    // In the middle of it the server stops.
    server.shutdown(Duration::ZERO).await;
    assert_eq!(fs::read_dir(folder.path().join("data/events")).unwrap().count(), 1);

    fs::remove_file(folder.path().join("slow")).unwrap();
    let (_server, _client) = start(folder.path()).await;
    let ids = attempts(folder.path(), 2).await;
    assert_eq!(ids, [first[0].clone(), first[0].clone()]);
    none_kept(folder.path()).await;
}

#[tokio::test]
async fn more_events_than_there_is_room_for_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("slow"), "").unwrap();
    // In memory: a thousand events on a disk take a while.
    let mut config = scripted();
    config.durable = false;
    let (_server, client) = server_with(config).await;
    for _ in 0..1000 {
        assert_eq!(send_event(&client, folder.path()).await.status, 202);
    }
    let refused = send_event(&client, folder.path()).await;
    let message = refused.refused(429, "TooManyRequestsException", "message");
    assert_eq!(message, "1000 events are waiting already");
}
