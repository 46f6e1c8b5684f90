//! Both workflows, killed at every boundary of each of their ways: the same result, the same record, and no
//! finished step's effect twice.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod memory;

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use durable_runtime::{
    Root,
    protocol::{ErrorObject, Timestamp},
};
use durable_testing::{
    CrashEverywhere, CrashReport, FaultCampaign, Scenario, TestEngine, World, virtual_time,
};
use memory::Memory;
use serde_json::{Value, json};
use workflows::{
    callback::{Message, Request, Signal, callback_handler, large_result, stored_as_artifact},
    ports::{Change, INLINE_LIMIT, NewRecord, Outcome, Records, Route, WorkflowId},
    research::{Job, MANDATORY_STEPS, Parameters, Phase, ResearchInput, Status, research_workflow},
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const REPORT: &str = "# Report\n\nAs found in a.md:1.";

/// What a run left on record, as text.
fn left_behind(memory: &Memory) -> String {
    let state = memory.state();
    let mut text = String::new();
    for record in state.records.values() {
        let steps: Vec<_> = record.steps_completed.iter().map(|it| (&it.name, &it.summary)).collect();
        text += &format!(
            "{} at {:?}, {steps:?}, {:?}, {:?}, {:?}\n",
            record.status, record.current_step, record.comment, record.report, record.error
        );
    }
    text += &format!("artifacts {:?}\n", state.artifacts.keys());
    text += &format!("events {:?}\n", state.events);
    for (callback, delivery) in state.results.values() {
        text += &format!("result {delivery:?} {:?}\n", callback.outcome);
    }
    for entry in &state.history {
        text += &format!("history {} {}\n", entry.status, entry.answer);
    }
    for letter in &state.letters {
        text += &format!("dead letter {}: {}\n", letter.id, letter.reason);
    }
    for callback in &state.kept {
        text += &format!("kept {}: {} {:?}\n", callback.id, callback.reason, callback.outcome);
    }
    text += &format!("completed {:?}\n", state.completed);
    text
}

/// Crashes a research workflow everywhere while `world` plays agents and reviewer; gives what every run left on
/// record, too.
fn research<Fut: Future<Output = ()> + Send + 'static>(
    world: impl Fn(World, Memory) -> Fut + Copy + Send + Sync + 'static,
) -> (CrashReport, String) {
    let report = CrashEverywhere::of(move || researching(world)).run();
    let record = report.left.clone().unwrap();
    (report, record)
}

/// A research workflow with a world of its own.
fn researching<Fut: Future<Output = ()> + Send + 'static>(
    world: impl Fn(World, Memory) -> Fut + 'static,
) -> Scenario<(Job,), impl Root<(Job,), Input = Job, Output: Debug> + Clone> {
    let memory = Memory::default();
    let (ports, actors) = (memory.closed_world(), memory.clone());
    Scenario::new(move |job: Job| research_workflow(ports.clone(), job), job())
        .world(move |handle| world(handle, actors))
        .left_text(move || left_behind(&memory))
}

fn job() -> Job {
    let input = ResearchInput::new("structured concurrency", Parameters::default()).unwrap();
    Job { workflow_id: WorkflowId::named("w"), input }
}

async fn answer(world: &World, phase: Phase, after: Duration, result: &Value) {
    let id = world.callback(phase.await_name()).await;
    tokio::time::sleep(after).await;
    world.complete_id(&id, result).await;
}

async fn decide(world: &World, decision: Value) {
    let id = world.callback("human_approval").await;
    tokio::time::sleep(20 * HOUR).await;
    world.complete_id(&id, &decision).await;
}

/// How often an effect happened in the run without a crash.
fn times(report: &CrashReport, label: &str) -> usize {
    report.effects.iter().filter(|effect| *effect == label).count()
}

async fn approved(world: World) {
    answer(&world, Phase::Research, 3 * HOUR, &json!({ "findings": ["one"] })).await;
    answer(&world, Phase::Analysis, HOUR, &json!({ "themes": ["two"] })).await;
    decide(&world, json!({ "approved": true, "comment": "go" })).await;
    answer(&world, Phase::Writing, HOUR / 2, &json!({ "report": REPORT })).await;
}

#[test]
fn an_approved_workflow_survives_every_crash() {
    let begun = Instant::now();
    let (report, record) = research(|world, _| approved(world));
    // Weeks of virtual time.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(report.result.starts_with("Ok(Delivery"), "{}", report.result);
    assert!(record.starts_with("COMPLETED at None"), "{record}");
    let mut rest = record.as_str();
    for step in MANDATORY_STEPS {
        rest = rest.split_once(&format!("(\"{step}\"")).unwrap_or_else(|| panic!("{step} in {record}")).1;
    }
    for once in ["task for the researcher", "task for the analyst", "task for the writer", "notification"] {
        assert_eq!(times(&report, once), 1, "{once}");
    }
    assert_eq!(times(&report, "artifact w/report.md"), 1);
    assert!(report.boundaries > 25, "{report:?}");
}

#[test]
fn an_approved_workflow_survives_every_pair_of_crashes() {
    let report = CrashEverywhere::of(|| researching(|world, _| approved(world))).pairs().run();
    assert!(report.crashed_runs > 400, "{report:?}");
}

#[test]
fn an_approved_workflow_survives_a_service_that_misbehaves() {
    let campaign = FaultCampaign::of(|| researching(|world, _| approved(world)));
    let report = campaign.run(0..60, |faults| faults.everything(8));
    assert!(report.injected > 200, "{report:?}");
}

#[test]
fn a_rejected_workflow_survives_every_crash() {
    let (report, record) = research(async |world: World, _| {
        answer(&world, Phase::Research, HOUR, &json!(["one"])).await;
        answer(&world, Phase::Analysis, HOUR, &json!("two")).await;
        decide(&world, json!({ "approved": false, "comment": "too thin" })).await;
    });
    assert!(report.result.contains("status: Rejected"), "{}", report.result);
    assert!(record.starts_with("REJECTED") && record.contains("workflow_rejected"), "{record}");
    assert_eq!(times(&report, "task for the writer"), 0);
}

#[test]
fn an_agents_failure_survives_every_crash_with_its_type() {
    let (report, record) = research(async |world: World, _| {
        answer(&world, Phase::Research, HOUR, &json!(["one"])).await;
        let error = ErrorObject::new("AgentFailure", "no model at /home/me/model, token=abc");
        world.fail(Phase::Analysis.await_name(), error).await;
    });
    let expected = "Err(AgentInvocation { phase: Analysis, message: \"no model at [path], token=[redacted]\", \
                    retryable: false })";
    assert_eq!(report.result, expected);
    assert!(
        record.starts_with("FAILED") && record.contains("the analyst failed: no model at [path]"),
        "{record}"
    );
    assert_eq!(times(&report, "event workflow_failed"), 1);
}

#[test]
fn large_results_travel_as_artifacts_through_every_crash() {
    let (report, record) = research(async |world: World, memory: Memory| {
        let large = json!({ "findings": ["x".repeat(INLINE_LIMIT)] });
        let signal = Signal::Outcome(Outcome::Success { result: large });
        let large = large_result(&signal).unwrap();
        let result = stored_as_artifact(&memory, "token", large).await.unwrap();
        assert_eq!(result["artifact_type"], "s3_reference");
        answer(&world, Phase::Research, HOUR, &result).await;
        answer(&world, Phase::Analysis, HOUR, &json!({ "themes": ["two"] })).await;
        decide(&world, json!({ "approved": true })).await;
        // A small artifact comes inline from its fetch on.
        let stored = workflows::ports::Artifacts::put(
            &memory,
            "report.json".to_owned(),
            json!(REPORT).to_string().into(),
        );
        let reference = serde_json::to_value(stored.await.unwrap()).unwrap();
        answer(&world, Phase::Writing, HOUR / 2, &reference).await;
    });
    assert!(report.result.starts_with("Ok(Delivery"), "{}", report.result);
    for step in ["research_phase_fetch_artifact", "writing_phase_fetch_artifact"] {
        assert!(record.contains(step), "{step} in {record}");
    }
    assert!(!record.contains("analysis_phase_fetch_artifact"), "{record}");
}

/// Crashes the callback handler everywhere on one message. The researcher's callback is `known-1`.
fn handler(body: Value, begin: impl Fn(&Memory) + Send + Sync + 'static) -> (CrashReport, String) {
    let report = CrashEverywhere::of(move || {
        let memory = Memory::default();
        waiting_for_the_researcher(&memory);
        begin(&memory);
        let message = Message::parse(body.to_string().as_bytes()).unwrap();
        let digest = message.signal.digest();
        let request =
            Request { request_id: "r".to_owned(), received_at: Timestamp::from_millis(1), message, digest };
        let ports = memory.closed_world();
        Scenario::new(move |request: Request| callback_handler(ports.clone(), request), request)
            .left_text(move || left_behind(&memory))
    })
    .run();
    let record = report.left.clone().unwrap();
    (report, record)
}

fn waiting_for_the_researcher(memory: &Memory) {
    let job = job();
    let id = job.workflow_id;
    let change = Change::of(&id, "test").to(Status::Pending).now_at(Phase::Research.await_name());
    // Nothing in memory ever waits.
    let mut prepared = Box::pin(async {
        memory.create(NewRecord { id: id.clone(), input: job.input }).await.unwrap();
        memory.apply(change).await.unwrap();
    });
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(prepared.as_mut().poll(&mut context).is_ready());
    let route = Route { workflow_id: id.clone(), phase: Phase::Research };
    memory.state().routes.insert("known-1".to_owned(), route);
}

#[test]
fn a_delivered_callback_survives_every_crash() {
    let body = json!({ "token": "known-1", "status": "SUCCESS", "result": { "findings": ["one"] } });
    let (report, record) = handler(body, |_| {});
    assert_eq!(report.result, "Ok(Delivered)");
    assert!(record.starts_with("RUNNING at Some(\"analysis_phase_dispatch\")"), "{record}");
    assert!(record.contains("result Delivered") && record.contains("history SUCCESS callback_delivered"));
    assert_eq!(times(&report, "history appended"), 1);
}

#[test]
fn an_agents_failure_and_its_heartbeat_survive_every_crash() {
    let failure =
        json!({ "token": "known-1", "status": "FAILURE", "error": { "type": "T", "message": "m" } });
    let (report, record) = handler(failure, |_| {});
    assert_eq!(report.result, "Ok(Delivered)");
    assert!(record.contains("result Delivered Failure"), "{record}");
    let (report, record) = handler(json!({ "token": "known-1", "status": "HEARTBEAT" }), |_| {});
    assert_eq!(report.result, "Ok(HeartbeatRecorded)");
    assert!(record.starts_with("PENDING") && !record.contains("result"), "{record}");
}

#[test]
fn a_callback_of_nobody_is_kept_through_every_crash() {
    let body = json!({ "token": "who?", "status": "SUCCESS", "result": 1 });
    let (report, record) = handler(body, |_| {});
    assert_eq!(report.result, "Ok(Unknown)");
    assert!(record.contains("result Unknown") && record.contains("callback_stored"), "{record}");
}

#[test]
fn what_cannot_be_delivered_lies_with_the_dead_letters_after_every_crash() {
    let body = json!({ "token": "known-1", "status": "SUCCESS", "result": 1 });
    let (report, record) = handler(body, |memory| memory.state().unavailable = usize::MAX);
    assert_eq!(report.result, "Err(Delivery { retryable: true })");
    assert!(record.contains("dead letter r") && record.contains("result DeadLettered"), "{record}");
    assert!(record.starts_with("PENDING"), "{record}");
}

#[test]
fn what_cannot_be_stored_is_kept_through_every_crash() {
    let body = json!({ "token": "known-1", "status": "SUCCESS", "result": 1 });
    let (report, record) = handler(body, |memory| memory.state().is_full = true);
    assert_eq!(report.result, "Err(Storage { retryable: true })");
    assert!(record.contains("kept r: Failed to store callback result Success"), "{record}");
    assert!(record.starts_with("PENDING") && !record.contains("dead letter"), "{record}");
    assert_eq!(times(&report, "delivery of 1"), 0, "nothing is delivered that is not stored");
}

#[test]
fn a_delivery_that_succeeds_in_the_end_survives_every_crash() {
    let body = json!({ "token": "known-1", "status": "SUCCESS", "result": 1 });
    let (report, record) = handler(body, |memory| memory.state().unavailable = 2);
    assert_eq!(report.result, "Ok(Delivered)");
    assert_eq!(times(&report, "delivery of 1"), 3);
    assert!(!record.contains("dead letter"), "{record}");
}

/// Steps run at least once: an attempt that had its effect and then failed must not be seen in the end.
#[test]
fn an_answer_that_is_lost_at_any_call_changes_nothing() {
    let run = |lost_answer: usize| {
        let memory = Memory::default();
        memory.state().lost_answer = lost_answer;
        let (result, calls) = virtual_time(async {
            let ports = memory.closed_world();
            let test = TestEngine::new();
            let run = test.start(move |job: Job| research_workflow(ports.clone(), job), job()).await;
            let world = tokio::spawn(approved(run.world()));
            let result = run.output().await.unwrap();
            world.abort();
            (format!("{result:?}"), memory.state().calls)
        });
        (result, left_behind(&memory), calls)
    };
    let (result, record, calls) = run(0);
    assert!(result.starts_with("Ok(Delivery") && calls > 20, "{calls} calls, {result}");
    for call in 1..=calls {
        let (other_result, other_record, other_calls) = run(call);
        assert_eq!(other_result, result, "call {call} of {calls}");
        assert_eq!(other_record, record, "call {call} of {calls}");
        assert!(other_calls > calls, "call {call} of {calls}: the attempt was not repeated");
    }
}
