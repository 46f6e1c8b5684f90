//! Servers that die, and their successors.

use std::fs;

use crate::{durable, server::Server, text, until};

#[test]
fn executions_go_on_after_the_server_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    // One in the middle of an invocation, one that waits for time, one for a callback, one that has ended.
    let script = r#"{"script":[{"step":1},{"sleep":1500},{"step":"slept"}]}"#;
    server.prints(&["start", "f", script, "--name", "busy"]);
    server.prints(&["start", "f", r#"{"script":[{"wait":2},{"return":"waited"}]}"#, "--name", "timed"]);
    server.prints(&["start", "f", r#"{"script":[{"print":"before"},{"callback":{}}]}"#, "--name", "called"]);
    server.prints(&["start", "f", r#"{"script":[{"return":"over"}]}"#, "--name", "ended", "--wait"]);
    let callback = until("the callback is created", || {
        let shown = server.json(&["show", "f/called", "--json"]);
        let events = shown["Events"].as_array()?;
        let started = events.iter().find(|event| event["EventType"] == "CallbackStarted")?;
        started["CallbackStartedDetails"]["CallbackId"].as_str().map(str::to_owned)
    });
    until("the step is recorded", || {
        let shown = server.json(&["show", "f/busy", "--json"]);
        shown["Events"].as_array()?.iter().any(|event| event["EventType"] == "StepSucceeded").then_some(())
    });
    server.kill();

    let server = Server::start(folder.path());
    server.prints(&["callback", "succeed", &callback, "\"called back\""]);
    for (name, result) in
        [("busy", "\"slept\""), ("timed", "\"waited\""), ("called", "\"called back\""), ("ended", "\"over\"")]
    {
        let execution = format!("f/{name}");
        let ended = until(name, || {
            let shown = server.json(&["show", &execution, "--json"]);
            (shown["Status"] != "RUNNING").then_some(shown)
        });
        assert_eq!(ended["Result"], result, "{name}");
        if name == "busy" {
            let events = ended["Events"].as_array().unwrap();
            let died = events.iter().find(|event| event["EventType"] == "InvocationCompleted").unwrap();
            let error = &died["InvocationCompletedDetails"]["Error"]["Payload"];
            assert_eq!(error["ErrorType"], "Runtime.ExitError");
            let first_steps = events.iter().filter(|event| event["Id"] == "op-0").count();
            assert_eq!(first_steps, 2, "the finished step did not run again");
        }
    }
    let logs = server.prints(&["logs", "f/called"]);
    assert_eq!(logs.matches("before").count(), 2, "logs survive, too: {logs}");
    assert_eq!(server.interrupt(), Some(0));
}

#[test]
fn one_directory_has_one_server_and_settings_come_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_scripted-function");
    let settings = format!(
        "data = \"data\"\n[functions.f]\ncommand = [\"{program}\"]\nenvironment = {{ TABLE = \"orders\" }}\n"
    );
    fs::write(folder.path().join("durable.toml"), settings).unwrap();
    let server = Server::start_with(folder.path(), &[]);
    let script = r#"{"script":[{"variable":"TABLE"}]}"#;
    assert_eq!(server.prints(&["start", "f", script, "--wait"]), "\"orders\"\n");

    let second = durable(&["dev", "--port=0"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    assert!(said.starts_with("error: ") && said.contains("executions.db"), "{said}");
}
