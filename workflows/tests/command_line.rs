//! The real binary: what it refuses, what it prints, and that it goes on after a kill.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

const TOPIC: &str = "structured concurrency";

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_workflows"));
    command.args(arguments).arg("--data").arg(data).stdin(Stdio::null());
    for variable in
        ["APPROVAL_TIMEOUT_HOURS", "APPROVAL_WEBHOOK_URL", "CALLBACK_API_KEY", "CALLBACK_HMAC_SECRET"]
    {
        command.env_remove(variable);
    }
    command
}

fn run(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A few documents about the topic, some of them beside the point.
fn corpus(parent: &Path) -> String {
    let directory = parent.join("corpus");
    std::fs::create_dir_all(&directory).unwrap();
    for (name, content) in [
        (
            "README.md",
            "# Scopes\n\nStructured concurrency means that every task has a parent scope. A scope does not end \
             before all of its child tasks have ended. Errors of a child task cancel its siblings.\n",
        ),
        (
            "notes.md",
            "# Notes on concurrency\n\nWith structured concurrency the lifetime of a task is bound to a block. \
             Cancellation flows from the parent scope to the child tasks, and results flow back to the parent.\n",
        ),
        (
            "bread.txt",
            "Bread needs flour, water, salt and time. Let the dough rest overnight in a cool place.\n",
        ),
    ] {
        std::fs::write(directory.join(name), content).unwrap();
    }
    directory.display().to_string()
}

#[test]
fn bad_requests_are_refused_before_anything_is_written() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let long = "x".repeat(501);
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.display().to_string();
    for (arguments, expected) in [
        (vec!["research", ""], "topic: must not be empty"),
        (vec!["research", &long], "topic: must have at most 500 characters"),
        (vec!["research", "t", "--word-limit", "99"], "parameters.word_limit"),
        (vec!["research", "t", "--depth", "abyssal"], "basic, standard or comprehensive"),
        (vec!["research", "t", "--colour", "red"], "--colour"),
        (vec!["research", "t", "--corpus", "/no/such/place"], "there is no such directory"),
        (vec!["research", "t", "--corpus", &file], "is not a directory"),
        (vec!["research", "t", "--resume"], "there is no data directory"),
        (vec!["research"], "TOPIC"),
        (vec!["list"], "there is no data directory"),
        (vec!["show", "unknown"], "there is no data directory"),
        (vec!["list", "--status", "LOST"], "expected one of INITIALIZING"),
    ] {
        let output = run(&data, &arguments);
        let text = text(&output);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(text.contains(expected), "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{arguments:?}: {text}");
        assert!(!data.exists(), "{arguments:?}");
    }
    let output = command(&data, &["research", "t"]).env("APPROVAL_TIMEOUT_HOURS", "soon").output().unwrap();
    assert!(
        !output.status.success() && text(&output).contains("APPROVAL_TIMEOUT_HOURS"),
        "{}",
        text(&output)
    );
}

#[test]
fn databases_that_are_not_ours_are_left_alone() {
    for name in ["records.db", "engine.db"] {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let content = "somebody else's file, long enough to be more than a header. ".repeat(40);
        std::fs::write(data.join(name), &content).unwrap();
        let output = run(&data, &["research", TOPIC, "--corpus", &corpus(parent.path()), "--approve"]);
        assert!(!output.status.success(), "{}", text(&output));
        assert!(text(&output).contains(name) && !text(&output).contains("panicked"), "{}", text(&output));
        assert_eq!(std::fs::read_to_string(data.join(name)).unwrap(), content);
    }
}

#[test]
fn research_writes_a_report_and_the_records_can_be_read_afterwards() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let corpus = corpus(parent.path());
    let output = run(&data, &["research", TOPIC, "--corpus", &corpus, "--approve=go on", "--json"]);
    assert!(output.status.success(), "{}", text(&output));
    let workflow = json(&output);
    assert_eq!((&workflow["status"], &workflow["comment"]), (&"COMPLETED".into(), &"go on".into()));
    let report = std::fs::read_to_string(workflow["report_path"].as_str().unwrap()).unwrap();
    assert!(report.contains("README.md") && report.contains("notes.md"), "{report}");

    let id = workflow["workflow_id"].as_str().unwrap();
    let listed = json(&run(&data, &["list", "--json"]));
    assert_eq!(listed["workflows"][0]["workflow_id"], id);
    let shown = run(&data, &["show", id]);
    assert!(shown.status.success() && text(&shown).contains("finalize_workflow"), "{}", text(&shown));
    for arguments in [vec!["approve", id], vec!["reject", id, "no"], vec!["cancel", id]] {
        let output = run(&data, &arguments);
        assert!(!output.status.success() && text(&output).contains("COMPLETED"), "{}", text(&output));
    }
    for arguments in [["show", "unknown"], ["approve", "unknown"], ["cancel", "unknown"]] {
        let output = run(&data, &arguments);
        assert!(
            !output.status.success() && text(&output).contains("no workflow has the id"),
            "{}",
            text(&output)
        );
    }
    let output = run(&data, &["research", "--resume", "--corpus", &corpus]);
    assert!(
        !output.status.success() && text(&output).contains("no unfinished workflow"),
        "{}",
        text(&output)
    );
}

#[test]
fn a_rejection_in_advance_is_a_success_without_a_report() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let corpus = corpus(parent.path());
    let output = run(&data, &["research", TOPIC, "--corpus", &corpus, "--reject", "too thin", "--json"]);
    assert!(output.status.success(), "{}", text(&output));
    let workflow = json(&output);
    assert_eq!((&workflow["status"], &workflow["comment"]), (&"REJECTED".into(), &"too thin".into()));
}

/// A running process; killed, not left behind, when a test fails.
struct Running(Child);

impl Running {
    fn start(data: &Path, arguments: &[&str]) -> Self {
        let child = command(data, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Self(child)
    }

    /// Reads progress until a line holds `text`.
    fn until(&mut self, text: &str) -> String {
        let mut lines = BufReader::new(self.0.stderr.as_mut().unwrap()).lines();
        let mut seen = String::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains(text) => return line,
                Some(Ok(line)) => seen.push_str(&format!("{line}\n")),
                other => panic!("no `{text}` but {other:?} after\n{seen}"),
            }
        }
    }

    fn wait(&mut self) -> (std::process::ExitStatus, String) {
        let mut output = String::new();
        self.0.stdout.as_mut().unwrap().read_to_string(&mut output).unwrap();
        (self.0.wait().unwrap(), output)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The finished operations of the only workflow, as they are recorded.
fn finished(data: &Path, id: &str) -> Vec<Value> {
    let shown = json(&run(data, &["show", id, "--json"]));
    let operations = shown["operations"].as_array().unwrap().clone();
    operations.into_iter().filter(|operation| operation["status"] == "SUCCEEDED").collect()
}

#[test]
fn a_killed_process_is_resumed_and_repeats_no_finished_step() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let corpus = corpus(parent.path());

    // Without a terminal and without an answer in advance it waits at the approval; there it is killed.
    let mut first = Running::start(&data, &["research", TOPIC, "--corpus", &corpus]);
    let line = first.until(" approve ");
    let id = line.split("approve ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    let before = finished(&data, &id);
    let names: Vec<_> = before.iter().map(|operation| operation["name"].as_str().unwrap()).collect();
    for name in &workflows::research::MANDATORY_STEPS[..6] {
        assert!(names.contains(name), "{name} in {names:?}");
    }

    // A decision can be given while nothing runs.
    let decided = run(&data, &["approve", &id, "--comment", "from outside"]);
    assert!(decided.status.success(), "{}", text(&decided));
    let twice = run(&data, &["approve", &id]);
    assert!(!twice.status.success(), "{}", text(&twice));

    let resumed = run(&data, &["research", TOPIC, "--resume", "--corpus", &corpus, "--json"]);
    assert!(resumed.status.success(), "{}", text(&resumed));
    let workflow = json(&resumed);
    assert_eq!(
        (&workflow["workflow_id"], &workflow["comment"]),
        (&id.as_str().into(), &"from outside".into())
    );

    let after = finished(&data, &id);
    for operation in &before {
        assert!(after.contains(operation), "unchanged, to the millisecond: {operation}");
    }
    for name in workflows::research::MANDATORY_STEPS {
        let times = after.iter().filter(|operation| operation["name"] == name).count();
        assert_eq!(times, 1, "{name}");
    }
}

#[test]
fn a_process_killed_anywhere_is_resumed_to_the_same_report() {
    let parent = tempfile::tempdir().unwrap();
    let corpus = corpus(parent.path());
    let mut resumed_rounds = 0;
    for (round, delay) in (0..12).map(|round| (round, 30 * (round + 1))) {
        let data = parent.path().join(format!("data-{round}"));
        let mut first = Running::start(&data, &["research", TOPIC, "--corpus", &corpus, "--approve"]);
        std::thread::sleep(Duration::from_millis(delay));
        first.0.kill().unwrap();
        first.0.wait().unwrap();
        let listed = if data.join("engine.db").exists() {
            json(&run(&data, &["list", "--json"]))
        } else {
            Value::Null
        };
        let unfinished = listed["workflows"]
            .as_array()
            .is_some_and(|workflows| workflows.iter().any(|workflow| workflow["status"] != "COMPLETED"));
        if !unfinished {
            continue;
        }
        resumed_rounds += 1;
        let resumed =
            run(&data, &["research", TOPIC, "--resume", "--corpus", &corpus, "--approve", "--json"]);
        assert!(resumed.status.success(), "killed after {delay} ms: {}", text(&resumed));
        let workflow = json(&resumed);
        assert_eq!(workflow["status"], "COMPLETED");
        let operations = finished(&data, workflow["workflow_id"].as_str().unwrap());
        for name in workflows::research::MANDATORY_STEPS {
            assert_eq!(
                operations.iter().filter(|it| it["name"] == name).count(),
                1,
                "{name} after {delay} ms"
            );
        }
    }
    assert!(resumed_rounds > 0, "no kill hit a running workflow: spread the delays");
}

#[test]
fn commands_reach_the_process_that_holds_the_data() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let corpus = corpus(parent.path());
    let mut running = Running::start(&data, &["research", TOPIC, "--corpus", &corpus]);
    let line = running.until(" approve ");
    let id = line.split("approve ").nth(1).unwrap().split(' ').next().unwrap().to_owned();

    let other = run(&data, &["research", TOPIC, "--corpus", parent.path().to_str().unwrap()]);
    assert!(!other.status.success() && text(&other).contains("whose agents are others"), "{}", text(&other));
    let listed = json(&run(&data, &["list", "--json", "--status", "AWAITING_APPROVAL"]));
    assert_eq!(listed["workflows"][0]["workflow_id"], id);
    assert!(text(&run(&data, &["show", &id])).contains("a person's decision"));
    let unknown = run(&data, &["show", "un known/.."]);
    assert!(
        !unknown.status.success() && text(&unknown).contains("no workflow has the id"),
        "{}",
        text(&unknown)
    );
    assert!(run(&data, &["reject", &id, "no"]).status.success());
    let (status, output) = running.wait();
    assert!(status.success() && output.contains("rejected: no"), "{output}");
}

#[test]
fn a_second_research_joins_the_process_that_holds_the_data() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let corpus = corpus(parent.path());
    let mut first = Running::start(&data, &["research", TOPIC, "--corpus", &corpus]);
    let line = first.until(" approve ");
    let id = line.split("approve ").nth(1).unwrap().split(' ').next().unwrap().to_owned();

    let second = run(&data, &["research", "tasks with a parent scope", "--approve", "--json"]);
    assert!(second.status.success(), "{}", text(&second));
    assert!(text(&second).contains("another process runs it"), "{}", text(&second));
    let workflow = json(&second);
    assert_eq!((&workflow["status"], workflow["workflow_id"] != id.as_str()), (&"COMPLETED".into(), true));

    // The first process dies: whoever follows one of its workflows carries on with it, corpus and all.
    let mut third = Running::start(&data, &["research", TOPIC, "--resume", "--json"]);
    third.until("waiting for a decision");
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    third.until("going on without it");
    let approved = run(&data, &["approve", &id]);
    assert!(approved.status.success(), "{}", text(&approved));
    let (status, output) = third.wait();
    let workflow: Value = serde_json::from_str(&output).unwrap();
    assert!(status.success() && workflow["status"] == "COMPLETED" && workflow["workflow_id"] == id.as_str());
}

#[test]
fn a_resumed_workflow_keeps_its_corpus() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let corpus = corpus(parent.path());
    // Killed before its research can have begun.
    let mut first = Running::start(&data, &["research", TOPIC, "--corpus", &corpus]);
    first.until("workflow ");
    first.0.kill().unwrap();
    first.0.wait().unwrap();
    let resumed = run(&data, &["research", "--resume", "--approve", "--json"]);
    assert!(resumed.status.success(), "{}", text(&resumed));
    assert!(text(&resumed).contains(&format!("--corpus {corpus}")), "{}", text(&resumed));
    let report = std::fs::read_to_string(json(&resumed)["report_path"].as_str().unwrap()).unwrap();
    assert!(report.contains("notes.md"), "{report}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_process_and_says_how_to_go_on() {
    let parent = tempfile::tempdir().unwrap();
    let data = parent.path().join("data");
    let corpus = corpus(parent.path());
    let mut running = Running::start(&data, &["research", TOPIC, "--corpus", &corpus]);
    running.until("waiting for a decision");
    let pid = running.0.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let line = running.until("to go on:");
    assert!(line.contains("--resume") && line.contains("'structured concurrency'"), "{line}");
    let begun = Instant::now();
    assert_eq!(running.wait().0.code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(10));
}
