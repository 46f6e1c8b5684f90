//! Processes that die, hang, and don't know what to say.

use std::time::Duration;

use durable_cli::FunctionConfig;
use serde_json::{Value, json};

use crate::support::{Client, scripted, server_with};

/// The errors of all invocations that failed, in order.
async fn failures(client: &Client, arn: &str) -> Vec<Value> {
    let events = client.events(arn).await;
    let errors = events.iter().map(|event| &event["InvocationCompletedDetails"]["Error"]["Payload"]);
    errors.filter(|error| !error.is_null()).cloned().collect()
}

#[tokio::test]
async fn a_process_that_dies_in_the_middle_of_a_step_is_replaced_and_the_step_runs_again() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("crashed");
    let (_server, client) = server_with(scripted()).await;
    let script = json!({ "script": [{ "step": 1 }, { "crash": marker }, { "pid": true }] });
    let before = client.run("f", &json!({ "script": [{ "pid": true }] })).await;
    let arn = client.start("f", None, &script).await;
    let ended = client.ended(&arn).await;
    assert_eq!(ended["Status"], "SUCCEEDED");
    assert_ne!(ended["Result"], before.to_string(), "another process");
    let failures = failures(&client, &arn).await;
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0]["ErrorType"], "Runtime.ExitError");
    let message = failures[0]["ErrorMessage"].as_str().unwrap();
    assert!(message.contains("RequestId: ") && message.ends_with("exit status 7"), "{message}");
    let steps = client.event_types(&arn).await.into_iter().filter(|kind| kind == "StepStarted").count();
    assert_eq!(steps, 2, "the interrupted attempt is the same one");
}

#[tokio::test]
async fn a_function_that_takes_too_long_is_killed() {
    let mut config = scripted();
    config.timeout = Duration::from_millis(300);
    let (server, client) = server_with(config).await;
    let pid = client.run("f", &json!({ "script": [{ "pid": true }] })).await;
    let arn = client.start("f", None, &json!({ "script": [{ "sleep": 60_000 }] })).await;
    let event = client.event(&arn, "InvocationCompleted").await;
    let error = &event["InvocationCompletedDetails"]["Error"]["Payload"];
    assert_eq!(error["ErrorType"], "Sandbox.Timedout");
    assert!(
        error["ErrorMessage"].as_str().unwrap().ends_with("Task timed out after 0.30 seconds"),
        "{error}"
    );
    assert!(!std::path::Path::new("/proc").join(pid.to_string()).exists());
    assert_eq!(client.execution(&arn).await["Status"], "RUNNING", "it is invoked again");
    server.shutdown(Duration::ZERO).await;
}

#[tokio::test]
async fn an_execution_fails_with_the_last_error_of_a_function_that_always_fails() {
    let (_server, client) = server_with(scripted()).await;
    let arn = client.start("f", None, &json!({ "script": [{ "throw": "Broken" }] })).await;
    let ended = client.ended(&arn).await;
    assert_eq!(ended["Status"], "FAILED");
    assert_eq!(ended["Error"]["ErrorType"], "Broken");
    assert_eq!(failures(&client, &arn).await.len(), 5);
}

#[tokio::test]
async fn answers_that_are_no_envelope_are_failed_invocations() {
    let (_server, client) = server_with(scripted()).await;
    for (answer, words) in [
        (json!("done"), "not that of a durable function"),
        (json!({ "Status": "PENDING" }), "no pending operation"),
        (json!({ "Status": "FAILED", "Result": "1" }), "must not carry a Result"),
    ] {
        let arn = client.start("f", None, &json!({ "script": [{ "answer": answer }] })).await;
        let event = client.event(&arn, "InvocationCompleted").await;
        let error = &event["InvocationCompletedDetails"]["Error"]["Payload"];
        assert_eq!(error["ErrorType"], "InvalidInvocationOutput");
        assert!(error["ErrorMessage"].as_str().unwrap().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_function_that_can_not_start_says_why() {
    let mut unlucky = scripted();
    unlucky.environment.insert("FAIL_AT_START".into(), "BadLuck".into());
    let missing = FunctionConfig::command(["./does-not-exist"]);
    for (config, kind, words) in [
        (unlucky, "Runtime.ExitError", "BadLuck: no luck"),
        (missing, "Runtime.InvalidEntrypoint", "does-not-exist"),
    ] {
        let (_server, client) = server_with(config).await;
        let arn = client.start("f", None, &json!({ "script": [] })).await;
        let event = client.event(&arn, "InvocationCompleted").await;
        let error = &event["InvocationCompletedDetails"]["Error"]["Payload"];
        assert_eq!(error["ErrorType"], kind);
        assert!(error["ErrorMessage"].as_str().unwrap().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_warm_process_that_died_meanwhile_costs_nothing() {
    let (_server, client) = server_with(scripted()).await;
    let pid = client.run("f", &json!({ "script": [{ "pid": true }] })).await;
    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    // `kill` does not wait for the end, only asks for it.
    let stat = format!("/proc/{pid}/stat");
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        tokio::task::yield_now().await;
    }
    let answer = client.invoke("f", &[], json!({ "script": [{ "pid": true }] }).to_string().as_bytes()).await;
    assert_ne!(answer.ok(), pid);
    let arn = answer.header("x-amz-durable-execution-arn").unwrap();
    assert!(failures(&client, arn).await.is_empty());
}
