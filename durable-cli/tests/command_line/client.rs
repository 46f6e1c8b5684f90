//! The client commands.

use std::fs;

use crate::{durable, server::Server, stdout, text, until};

const SCRIPT: &str = r#"{"script":[{"step":1},{"print":"working"},{"callback":{"TimeoutSeconds":60}}]}"#;

/// The id of the execution's callback, from its history.
fn callback_id(server: &Server, execution: &str) -> String {
    until("the callback is created", || {
        let history = server.json(&["history", execution, "--json"]);
        let events = history["Events"].as_array()?;
        let started = events.iter().find(|event| event["EventType"] == "CallbackStarted")?;
        started["CallbackStartedDetails"]["CallbackId"].as_str().map(str::to_owned)
    })
}

#[test]
fn an_execution_from_its_start_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let arn = server.prints(&["start", "f", SCRIPT, "--name", "order-1"]);
    let arn = arn.trim();
    assert!(arn.contains("/durable-execution/order-1/"), "{arn}");
    assert_eq!(
        server.json(&["start", "f", SCRIPT, "--name", "order-1", "--json"])["DurableExecutionArn"],
        arn
    );
    let refused = server.refuses(&["start", "f", "{}", "--name", "order-1"]);
    assert!(refused.starts_with("error: DurableExecutionAlreadyStartedException: "), "{refused}");

    let id = callback_id(&server, "f/order-1");
    let shown = server.prints(&["show", "f/order-1"]);
    for words in ["f/order-1  RUNNING", arn, "step op-0", "succeeded", "callback op-2", &id] {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    assert!(server.prints(&["callback", "heartbeat", &id]).contains("is alive"));
    server.prints(&["callback", "succeed", &id, r#"{"by": "hand"}"#]);
    let refused = server.refuses(&["callback", "fail", &id]);
    assert!(refused.contains("CallbackTimeoutException"), "{refused}");

    let ended = until("the execution ends", || {
        let shown = server.json(&["show", arn, "--json"]);
        (shown["Status"] != "RUNNING").then_some(shown)
    });
    assert_eq!(ended["Result"], r#"{"by":"hand"}"#);
    assert_eq!(ended["Events"][0]["EventType"], "ExecutionStarted");
    let logs = server.prints(&["logs", "f/order-1", "--follow"]);
    assert_eq!(logs.lines().filter(|line| line.ends_with("  working")).count(), 2, "once a replay: {logs}");
    let history = server.prints(&["history", "f/order-1", "--reverse", "--limit", "1"]);
    assert!(history.contains("ExecutionSucceeded") && history.lines().count() == 1, "{history}");
}

#[test]
fn executions_are_listed_and_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    assert_eq!(server.prints(&["list"]), "no executions\n");
    for name in ["a", "b"] {
        server.prints(&["start", "f", SCRIPT, "--name", name]);
    }
    let stop = ["stop", "f/a", "--error-type", "Cancelled", "--error-message", "by hand"];
    assert!(server.prints(&stop).starts_with("STOPPED since "));
    let listed = server.prints(&["list", "f", "--since", "1h"]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    assert!(lines[1].starts_with("RUNNING") && lines[1].ends_with("f/b"), "{listed}");
    assert!(lines[2].starts_with("STOPPED") && lines[2].ends_with("f/a"), "{listed}");
    let stopped = server.json(&["list", "--status", "stopped", "--json"]);
    assert_eq!(stopped["DurableExecutions"].as_array().unwrap().len(), 1);
    let shown = server.prints(&["show", "f/a"]);
    assert!(shown.contains("Cancelled: by hand"), "{shown}");
    assert!(server.refuses(&["show", "f/c"]).contains("no execution named 'c'"));
    assert!(server.refuses(&["show", "c"]).contains("FUNCTION/NAME"));
    assert!(server.refuses(&["list", "g"]).contains("ResourceNotFoundException"));
}

#[test]
fn executions_are_paused_resumed_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    server.prints(&["start", "f", SCRIPT, "--name", "a"]);
    let id = callback_id(&server, "f/a");
    // It may still be about to suspend, which is a pause of its own kind.
    let paused = server.prints(&["pause", "f/a", "--reason", "for lunch"]);
    assert!(["PAUSED\n", "PAUSING\n"].contains(&paused.as_str()), "{paused}");
    until("it is paused", || {
        server.prints(&["list", "f", "--status", "paused"]).contains("f/a").then_some(())
    });
    let shown = server.prints(&["show", "f/a"]);
    assert!(shown.contains("PAUSED") && shown.contains(": for lunch"), "{shown}");
    server.prints(&["callback", "succeed", &id, "1"]);
    assert!(server.refuses(&["delete", "f/a"]).contains("ResourceConflictException"));
    // Its callback has completed: it may have ended by the time that it is asked for its status.
    let resumed = server.prints(&["resume", "f/a"]);
    assert!(["RUNNING\n", "SUCCEEDED\n"].contains(&resumed.as_str()), "{resumed}");
    assert!(server.refuses(&["resume", "f/a"]).contains("ResourceConflictException"));
    until("it ends", || server.prints(&["show", "f/a"]).contains("SUCCEEDED").then_some(()));
    let history = server.prints(&["history", "f/a"]);
    assert!(history.contains("ExecutionPaused") && history.contains("ExecutionResumed"), "{history}");
    assert!(server.prints(&["delete", "f/a"]).starts_with("f/a deleted at "));
    assert!(server.refuses(&["show", "f/a"]).contains("no execution named 'a'"));
}

#[test]
fn a_start_can_be_followed_and_its_exit_code_tells_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let input = folder.path().join("input.json");
    fs::write(&input, r#"{"script":[{"step":1},{"wait":1},{"return":"done"}]}"#).unwrap();
    let followed = server.prints(&["start", "f", &format!("@{}", input.display()), "--follow"]);
    let lines: Vec<&str> = followed.lines().collect();
    assert!(lines[0].ends_with("  ExecutionStarted"), "{followed}");
    assert!(lines.iter().any(|line| line.contains("WaitStarted wait op-1 1s")), "{followed}");
    assert_eq!(lines.last(), Some(&"\"done\""));
    let events = lines.len() - 1;

    let json = server.prints(&["start", "f", &format!("@{}", input.display()), "--follow", "--json"]);
    let documents: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).expect("each line is a document")).collect();
    assert_eq!(documents.len(), events + 1);
    assert_eq!(documents.last().unwrap()["Status"], "SUCCEEDED");

    let failing = server.run(&["start", "f", r#"{"script":[{"fail":"Declined"}]}"#, "--wait"]);
    assert_eq!(failing.status.code(), Some(3));
    assert!(text(&failing.stderr).contains("FAILED: Declined: failed"));
    assert!(server.refuses(&["start", "f", "{no"]).contains("not JSON"));
    assert!(server.refuses(&["start", "g", "{}"]).contains("ResourceNotFoundException"));
}

#[test]
fn commands_say_what_they_need() {
    let help = stdout(&durable(&["start", "--help"]).output().unwrap());
    assert!(help.contains("Examples:"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&durable(&["completions", shell]).output().unwrap()).contains("callback"));
    }
    let nowhere = durable(&["list", "f"]).output().unwrap();
    assert!(text(&nowhere.stderr).contains("--endpoint"), "{}", text(&nowhere.stderr));
    let nobody = durable(&["list", "f", "--endpoint", "http://127.0.0.1:1"]).output().unwrap();
    assert!(text(&nobody.stderr).contains("is `durable dev` running?"), "{}", text(&nobody.stderr));
    assert_eq!(durable(&["dance"]).output().unwrap().status.code(), Some(2));
}
