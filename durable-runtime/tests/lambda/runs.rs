//! What works.

use std::time::Duration;

use durable_engine::{CallbackError, Engine, ExecutionStatus, PageLimit};
use durable_runtime::protocol::{OperationAction, OperationType, limits};
use serde_json::{Value, json};

use crate::{
    cloud::Function,
    rest::{Call, Fault},
};

/// Completes the callback of `arn` once it exists.
async fn approve(engine: &Engine, arn: &str) {
    for _ in 0..500 {
        let operations = engine.operations(arn).await.unwrap();
        let id =
            operations.iter().find_map(|operation| operation.callback_details.as_ref()?.callback_id.clone());
        if let Some(id) = id {
            let sent: Result<(), CallbackError> = engine.succeed_callback(&id, Some("\"Ada\"".into())).await;
            return sent.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no callback was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_a_wait_and_a_callback_run_to_the_end() {
    let function = Function::start("checkout").await;
    let arn = function.begin("order 7").await;
    approve(function.engine(), &arn).await;
    let ended = function.end_of(&arn).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}", ended.error);
    assert_eq!(ended.result.as_deref(), Some("\"reservation of order 7, approved by Ada\""));

    let answers = function.answers();
    assert_eq!(answers.first(), Some(&Ok(json!({ "Status": "PENDING" }))));
    assert_eq!(
        answers.last(),
        Some(&Ok(json!({ "Status": "SUCCEEDED", "Result": "\"reservation of order 7, approved by Ada\"" })))
    );
    // The step and the wait go together, the callback alone.
    let sent: Vec<_> = function
        .calls()
        .into_iter()
        .filter_map(|call| match call {
            Call::Checkpoint { updates, .. } => Some(updates),
            Call::State { .. } => None,
        })
        .map(|updates| {
            updates.iter().map(|update| (update.operation_type, update.action)).collect::<Vec<_>>()
        })
        .collect();
    let step = |action| (OperationType::Step, action);
    assert_eq!(
        sent,
        [
            vec![
                step(OperationAction::Start),
                step(OperationAction::Succeed),
                (OperationType::Wait, OperationAction::Start)
            ],
            vec![(OperationType::Callback, OperationAction::Start)],
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_an_invocation_names_its_request_and_execution_and_replay_is_silent() {
    let function = Function::start("checkout").await;
    let arn = function.begin("order 8").await;
    approve(function.engine(), &arn).await;
    function.end_of(&arn).await;

    let lines = function.log_with(|line| line["message"] == "waiting").await;
    let of = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<&Value>>();
    assert_eq!((of("reserving").len(), of("waiting").len()), (1, 1));
    for line in [of("reserving")[0], of("waiting")[0]] {
        assert_eq!(line["executionArn"], arn.as_str());
        assert!(line["requestId"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
        assert_eq!(line["level"], "INFO");
    }
    assert_eq!(of("reserving")[0]["order"], "order 8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_in_pages_is_read_to_its_end() {
    let engine = Engine::builder().state_page(PageLimit { operations: 7, bytes: usize::MAX });
    let function = Function::start_with("counts", engine, &[]).await;
    let ended = function.execute(30).await;
    assert_eq!(ended.result.as_deref(), Some("435"), "{:?}", ended.error);
    let markers: Vec<_> = function
        .calls()
        .into_iter()
        .filter_map(|call| match call {
            Call::State { marker } => Some(marker),
            Call::Checkpoint { .. } => None,
        })
        .collect();
    // The execution, 30 steps and a wait: five pages, the first one in the envelope.
    assert_eq!(markers, ["7", "14", "21", "28"]);
    assert!(function.errors().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_fits_no_answer_is_checkpointed() {
    let function = Function::start("letters").await;
    let letters = limits::INVOCATION_RESULT;
    let ended = function.execute(letters).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}", ended.error);
    assert_eq!(ended.result.map(|result| result.len()), Some(letters + 2));
    // The checkpoint ended the execution; the answer follows it.
    let answer = function.first_answer().await;
    assert_eq!(answer, Ok(json!({ "Status": "SUCCEEDED", "Result": "" })));
    let calls = function.calls();
    assert_eq!(calls.len(), 1);
    let Call::Checkpoint { updates, .. } = &calls[0] else { panic!("{calls:?}") };
    assert_eq!(updates[0].operation_type, OperationType::Execution);
}

#[tokio::test(flavor = "multi_thread")]
async fn managed_instances_run_invocations_at_the_same_time() {
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", "4")];
    let function = Function::start_with("slow", Engine::builder(), &variables).await;
    let mut arns = Vec::new();
    for _ in 0..4 {
        arns.push(function.begin(()).await);
    }
    for arn in arns {
        assert_eq!(function.end_of(&arn).await.status, ExecutionStatus::Succeeded);
    }
    assert!(function.peak() > 1, "one after the other");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_call_is_repeated_by_the_sdk_as_the_same_request() {
    let function = Function::start("counts").await;
    let throttled =
        Fault::Refusal { status: 429, code: "TooManyRequestsException", message: "Rate exceeded" };
    function.fail_next([throttled]);
    let ended = function.execute(1).await;
    assert_eq!(ended.result.as_deref(), Some("0"), "{:?}", ended.error);
    assert!(function.errors().is_empty(), "{:?}", function.errors());
    let calls = function.calls();
    assert_eq!(calls[0], calls[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_asked_for_again_and_nothing_is_applied_twice() {
    let function = Function::start("counts").await;
    function.fail_next([Fault::LostAnswer]);
    let ended = function.execute(1).await;
    assert_eq!(ended.result.as_deref(), Some("0"), "{:?}", ended.error);
    assert!(function.errors().is_empty(), "{:?}", function.errors());
    let calls = function.calls();
    // The same client token, so the service knows the request again.
    assert_eq!(calls[0], calls[1]);
}
