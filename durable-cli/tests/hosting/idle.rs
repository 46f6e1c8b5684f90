//! Processes that nobody needs.

use std::{path::Path, time::Duration};

use serde_json::json;

use crate::support::{LIMIT, scripted, server_with};

#[tokio::test]
async fn a_process_without_work_is_ended_after_a_while_and_costs_nothing() {
    let mut config = scripted();
    config.idle_timeout = Duration::from_millis(300);
    let (_server, client) = server_with(config).await;
    let pid = json!({ "script": [{ "pid": true }] });
    let first = client.run("f", &pid).await;
    assert_eq!(client.run("f", &pid).await, first, "it is kept for a while");
    // An invocation is work, however long it takes.
    let busy = json!({ "script": [{ "sleep": 1000 }, { "pid": true }] });
    assert_eq!(client.run("f", &busy).await, first);
    let ended = async {
        while Path::new("/proc").join(first.to_string()).exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, ended).await.expect("the process is ended");
    assert_ne!(client.run("f", &pid).await, first);
}
