//! The rows about the service's answers, on the wire: a function in a process of its own, AWS's client, the
//! development server, and something in between that interferes.

mod between;

use std::time::Duration;

use durable_cli::{DevServer, FunctionConfig};
use durable_engine::{ExecutionStatus, ExecutionSummary, StartOptions};
use durable_runtime::{
    lambda,
    prelude::*,
    protocol::{OperationAction, OperationType, limits},
};

use between::{Between, Interference};

/// The attempts of AWS's client for one call.
const ATTEMPTS: usize = 3;

#[durable_step]
async fn number(value: u64) -> Result<u64, Error> {
    Ok(value)
}

#[durable_execution]
async fn three_numbers() -> Result<u64, Error> {
    Ok(number(1).await? + number(2).await? + number(3).await?)
}

#[durable_step]
async fn page(letters: usize) -> Result<String, Error> {
    Ok("x".repeat(letters))
}

#[durable_execution]
async fn one_branch(letters: usize) -> Result<usize, Error> {
    Ok(page(letters).await?.len())
}

/// More operations, and more bytes, than fit into one request.
#[durable_execution]
async fn many_branches() -> Result<usize, Error> {
    Ok(map(std::iter::repeat_n(20_000, 300), one_branch).await?.into_iter().sum())
}

/// Not a test: the functions' process. `_HANDLER` says which function it is, as in Lambda.
#[tokio::test]
#[ignore = "the other tests start it as a function"]
async fn serves() {
    let ended = match std::env::var("_HANDLER").unwrap_or_default().as_str() {
        "three_numbers" => lambda::run(three_numbers).await,
        "many_branches" => lambda::run(many_branches).await,
        other => panic!("there is no function `{other}`"),
    };
    ended.expect("the Runtime API is there as long as this process");
}

/// A server with the functions, whose calls go through `between`.
struct Wire {
    server: DevServer,
    between: Between,
}

impl Wire {
    async fn new(interferences: impl IntoIterator<Item = Interference>) -> Self {
        let between = Between::start(interferences).await;
        let mut server = DevServer::builder();
        for name in ["three_numbers", "many_branches"] {
            let program = std::env::current_exe().expect("a test has a program");
            let program = program.to_str().expect("its path is text").to_owned();
            let arguments = ["--exact", "wire::serves", "--ignored", "--nocapture"].map(str::to_owned);
            let mut function = FunctionConfig::command(std::iter::once(program).chain(arguments));
            function.environment.insert("AWS_ENDPOINT_URL_LAMBDA".into(), between.url());
            server = server.function(name, function);
        }
        let server = server.start().await.expect("the server starts");
        between.lead_to(&server.url());
        Self { server, between }
    }

    async fn run(&self, function: &str) -> ExecutionSummary {
        let engine = self.server.engine();
        let started =
            engine.start_raw(function, StartOptions::default(), "null".into()).await.expect("it starts");
        let end = engine.wait_for_end(&started.arn);
        tokio::time::timeout(Duration::from_secs(60), end).await.expect("it ends").expect("it exists")
    }

    /// How many invocations an execution took.
    async fn invocations(&self, execution: &ExecutionSummary) -> usize {
        let history = self.server.engine().history(&execution.arn, durable_engine::HistoryPage::all()).await;
        let events = history.expect("it has a history").events;
        let ended = |event: &&durable_engine::service::Event| {
            event.details.event_type() == durable_engine::service::EventType::InvocationCompleted
        };
        events.iter().filter(ended).count()
    }
}

/// F10: a token that is really stale, since a zombie was faster, and throttling that outlasts the client's patience.
#[tokio::test(flavor = "multi_thread")]
async fn f10_a_stale_token_or_throttling_on_the_wire_ends_the_invocation_and_not_the_execution() {
    let throttled = Interference::refusal(429, "TooManyRequestsException", "Rate exceeded");
    let broken = Interference::refusal(500, "ServiceException", "Internal error");
    for interferences in [vec![Interference::Overtake], vec![throttled; ATTEMPTS], vec![broken; ATTEMPTS]] {
        let wire = Wire::new(interferences.clone()).await;
        let ended = wire.run("three_numbers").await;
        assert_eq!(ended.status, ExecutionStatus::Succeeded, "{interferences:?}: {:?}", ended.error);
        assert_eq!(ended.result.as_deref(), Some("6"));
        assert_eq!(wire.invocations(&ended).await, 2, "{interferences:?}");
        if let [Interference::Overtake] = interferences[..] {
            let refused = wire.between.refusals();
            assert_eq!(refused.len(), 1, "{refused:?}");
            assert_eq!(refused[0].code, "InvalidParameterValueException");
            assert!(refused[0].message.starts_with("Invalid Checkpoint Token"), "{refused:?}");
        }
    }
}

/// F10, the other half: what is wrong with a payload is wrong with it the next time, too.
#[tokio::test(flavor = "multi_thread")]
async fn f10_a_payload_that_is_refused_on_the_wire_fails_the_execution() {
    let code = "InvalidParameterValueException";
    let refusal =
        Interference::refusal(400, code, "STEP output payload size must be less than 1048576 bytes.");
    let wire = Wire::new([refusal]).await;
    let ended = wire.run("three_numbers").await;
    assert_eq!(ended.status, ExecutionStatus::Failed);
    let error = ended.error.clone().expect("a failure has an error");
    assert!(error.message().contains("STEP output payload size"), "{error}");
    assert_eq!(wire.invocations(&ended).await, 1);
}

/// F11: what was queued while a call was on its way is cut by count and by bytes, in order.
#[tokio::test(flavor = "multi_thread")]
async fn f11_batches_on_the_wire_are_cut_by_count_and_bytes_and_keep_their_order() {
    let wire = Wire::new([]).await;
    let ended = wire.run("many_branches").await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}", ended.error);
    assert_eq!(ended.result.as_deref(), Some("6000000"));
    assert!(wire.between.refusals().is_empty(), "{:?}", wire.between.refusals());
    let calls = wire.between.checkpoints();
    assert!(calls.len() > 1);
    assert!(calls.iter().all(|call| call.updates.len() <= limits::BATCH_UPDATES));
    assert!(calls.iter().any(|call| call.updates.len() > limits::BATCH_UPDATES / 10), "batches are batches");
    // The token and the names of the members come on top.
    let bytes: Vec<_> = calls.iter().map(|call| call.bytes).collect();
    assert!(bytes.iter().all(|bytes| *bytes <= limits::BATCH_BYTES + 1024), "{bytes:?}");
    let updates: Vec<_> = calls.iter().flat_map(|call| &call.updates).collect();
    let mut started = std::collections::HashSet::new();
    for update in &updates {
        match update.action {
            OperationAction::Start => assert!(started.insert(update.id.clone()), "{update:?} is sent twice"),
            _ if update.operation_type == OperationType::Context => {
                assert!(started.contains(&update.id), "{update:?} ends before it starts");
            }
            _ => {}
        }
        if let Some(parent) = &update.parent_id {
            assert!(started.contains(parent), "{update:?} comes before its parent");
        }
    }
    assert_eq!(started.iter().filter(|id| !id.is_empty()).count(), started.len());
}

/// F25: an answer that nobody has heard of.
#[tokio::test(flavor = "multi_thread")]
async fn f25_a_permanent_refusal_on_the_wire_fails_the_execution_with_the_answers_text() {
    for (status, code, message) in [
        (418, "SomethingNewException", "I am new here"),
        (403, "AccessDeniedException", "not authorized to perform lambda:CheckpointDurableExecution"),
        (400, "InvalidParameterValueException", "Invalid parent operation id."),
    ] {
        let wire = Wire::new([Interference::refusal(status, code, message)]).await;
        let ended = wire.run("three_numbers").await;
        assert_eq!(ended.status, ExecutionStatus::Failed, "{code}");
        let error = ended.error.clone().expect("a failure has an error");
        assert!(error.message().contains(code) && error.message().contains(message), "{error}");
        assert_eq!(wire.invocations(&ended).await, 1, "{code}: it is not tried for ever");
        assert_eq!(wire.between.checkpoints().len(), 1, "{code}: and not even again");
    }
}
