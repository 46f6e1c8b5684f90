//! Histories of both workflows, recorded once and replayed against today's code for ever: an execution that was begun
//! by any version of the code goes on with this one.
//!
//! A file of `tests/histories` is never changed. When a workflow gets another shape,
//! `RECORD_HISTORIES=1 cargo test --test histories` adds what it does now beside what it did: `research.approved.json`,
//! then `research.approved.2.json`. `research.approved.aws-cli.json` is the first one as
//! `aws lambda get-durable-execution-history --include-execution-data` prints it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod memory;

use std::{
    fs,
    path::{Path, PathBuf},
};

use durable_runtime::protocol::{ErrorObject, Timestamp};
use durable_testing::{Answer, Change, ReplayOutcome, TestEngine, replay, virtual_time};
use memory::Memory;
use serde_json::{Value, json};
use workflows::{
    callback::{Message, Request, callback_handler},
    ports::{NewRecord, Records, Route, WorkflowId},
    research::{Job, Parameters, Phase, ResearchInput, research_workflow},
};

/// A way through a workflow: the name of its file, what runs it and exports its history.
type Case = (&'static str, fn() -> String);

const CASES: [Case; 9] = [
    ("research.approved", || research(|test| decided(test, true))),
    ("research.rejected", || research(|test| decided(test, false))),
    ("research.nobody_decides", || research(analysed)),
    ("research.agent_fails", || {
        research(|test| {
            test.on_callback(Phase::Research.await_name(), |_| Answer::success(json!(["one"])).after("1h"));
            test.on_callback(Phase::Analysis.await_name(), |_| {
                Answer::failure(ErrorObject::new("AgentFailure", "no model"))
            });
        })
    }),
    ("research.agent_is_silent", || research(|_| {})),
    ("callback.delivered", || callback("known", json!({ "status": "SUCCESS", "result": 1 }), |_| {})),
    ("callback.heartbeat", || callback("known", json!({ "status": "HEARTBEAT" }), |_| {})),
    ("callback.of_nobody", || callback("unknown", json!({ "status": "SUCCESS", "result": 1 }), |_| {})),
    ("callback.dead_letter", || {
        callback("known", json!({ "status": "SUCCESS", "result": 1 }), |memory| {
            memory.state().unavailable = usize::MAX;
        })
    }),
];

fn analysed(test: &TestEngine) {
    test.on_callback(Phase::Research.await_name(), |_| {
        Answer::success(json!({ "findings": ["one"] })).after("3h")
    });
    test.on_callback(Phase::Analysis.await_name(), |_| {
        Answer::success(json!({ "themes": ["two"] })).after("1h")
    });
}

fn decided(test: &TestEngine, approved: bool) {
    analysed(test);
    test.on_callback("human_approval", move |_| {
        Answer::success(json!({ "approved": approved })).after("20h")
    });
    test.on_callback(Phase::Writing.await_name(), |_| {
        Answer::success(json!({ "report": "# Report" })).after("30m")
    });
}

fn research(script: impl FnOnce(&TestEngine)) -> String {
    virtual_time(async {
        let test = TestEngine::new();
        script(&test);
        let ports = Memory::default().closed_world();
        let input = ResearchInput::new("structured concurrency", Parameters::default()).unwrap();
        let job = Job { workflow_id: WorkflowId::named("w"), input };
        let run = test.start(move |job: Job| research_workflow(ports.clone(), job), job).await;
        let _ = run.output().await.unwrap();
        run.export().await
    })
}

/// The researcher's callback is `known`.
fn callback(token: &str, mut body: Value, begin: impl FnOnce(&Memory)) -> String {
    virtual_time(async {
        let (test, memory) = (TestEngine::new(), Memory::default());
        let id = WorkflowId::named("w");
        let input = ResearchInput::new("structured concurrency", Parameters::default()).unwrap();
        memory.create(NewRecord { id: id.clone(), input }).await.unwrap();
        let route = Route { workflow_id: id, phase: Phase::Research };
        memory.state().routes.insert("known".to_owned(), route);
        begin(&memory);
        body["token"] = json!(token);
        let message = Message::parse(body.to_string().as_bytes()).unwrap();
        let digest = message.signal.digest();
        let request =
            Request { request_id: "r".to_owned(), received_at: Timestamp::from_millis(1), message, digest };
        let ports = memory.closed_world();
        let run = test.start(move |request: Request| callback_handler(ports.clone(), request), request).await;
        let _ = run.output().await.unwrap();
        run.export().await
    })
}

/// The recorded files, with their names and contents.
fn recorded() -> Vec<(String, String)> {
    let mut recorded: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())
        })
        .collect();
    recorded.sort();
    recorded
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/histories")
}

/// Replays a history against the workflow that the file's name begins with.
fn replayed(file: &str, history: &str) -> ReplayOutcome {
    let ports = Memory::default().closed_world();
    match file.split('.').next() {
        Some("research") => replay(history, move |job: Job| research_workflow(ports.clone(), job)),
        Some("callback") => replay(history, move |request: Request| callback_handler(ports.clone(), request)),
        _ => panic!("{file} names no workflow"),
    }
}

/// What happened to which operation. How many invocations that took, and when, is the engine's business.
fn shape(history: &str) -> Vec<String> {
    let history: Value = serde_json::from_str(history).unwrap();
    let events = history["Events"].as_array().unwrap().iter();
    let mut shape: Vec<_> = events
        .map(|event| format!("{} {} {}", event["EventType"], event["SubType"], event["Name"]))
        .filter(|event| !event.contains("InvocationCompleted"))
        .collect();
    shape.sort();
    shape
}

/// One line for each event: small, and a diff shows which one is another.
fn written(history: &str) -> String {
    let history: Value = serde_json::from_str(history).unwrap();
    let events: Vec<_> = history["Events"].as_array().unwrap().iter().map(Value::to_string).collect();
    format!("{{\"Events\": [\n{}\n]}}\n", events.join(",\n"))
}

#[test]
fn every_recorded_history_fits_todays_code() {
    let recorded = recorded();
    assert!(recorded.len() > CASES.len(), "recorded histories have gone missing");
    for (file, history) in recorded {
        if let ReplayOutcome::Diverges(divergence) = replayed(&file, &history) {
            panic!("executions like {file} no longer fit the code: {divergence}");
        }
    }
}

#[test]
fn what_the_workflows_do_today_is_recorded() {
    let mut recorded = recorded();
    for (case, run) in CASES {
        let today = run();
        let of_case = |(file, _): &&(String, String)| file.starts_with(&format!("{case}."));
        if recorded.iter().filter(of_case).any(|(_, history)| shape(history) == shape(&today)) {
            continue;
        }
        assert!(
            std::env::var_os("RECORD_HISTORIES").is_some(),
            "`{case}` has a shape that no history in tests/histories has; if that is intended, and executions in \
             flight go on (the other test says so), RECORD_HISTORIES=1 records it beside the older ones"
        );
        let later = (2..).map(|version| format!("{case}.{version}.json"));
        let mut names = std::iter::once(format!("{case}.json")).chain(later);
        let file = names.find(|name| recorded.iter().all(|(known, _)| known != name)).unwrap();
        let text = written(&today);
        // Never over one that is there.
        let mut created = fs::File::create_new(folder().join(&file)).unwrap();
        std::io::Write::write_all(&mut created, text.as_bytes()).unwrap();
        recorded.push((file, text));
    }
}

/// The check would notice: a history of a workflow whose step had another name.
#[test]
fn a_history_of_other_code_does_not_fit() {
    for (file, step) in [
        ("research.approved.json", "request_approval"),
        ("research.approved.aws-cli.json", "request_approval"),
        ("callback.delivered.json", "store_result"),
    ] {
        let (_, history) = recorded().into_iter().find(|(name, _)| name == file).unwrap();
        let before = without(&history, step);
        let ReplayOutcome::Diverges(found) = replayed(file, &before) else { panic!("{file} without {step}") };
        assert_eq!(found.operation.name.as_deref(), Some(step), "{found}");
        assert!(matches!(found.change, Change::Inserted { .. }), "{found}");
    }
}

/// The history without the events of one operation.
fn without(history: &str, name: &str) -> String {
    let mut history: Value = serde_json::from_str(history).unwrap();
    let events = history["Events"].as_array_mut().unwrap();
    let before = events.len();
    events.retain(|event| event["Name"] != name);
    assert!(events.len() < before, "there is no {name}");
    history.to_string()
}
