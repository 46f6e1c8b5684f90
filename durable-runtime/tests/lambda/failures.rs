//! What fails, and whether it fails the invocation or the execution.

use durable_engine::{Engine, ExecutionStatus, PageLimit};
use serde_json::{Value, json};

use crate::{cloud::Function, rest::Fault};

/// The attempts of the SDK for one call.
const ATTEMPTS: usize = 3;

fn refusal(status: u16, code: &'static str, message: &'static str) -> Fault {
    Fault::Refusal { status, code, message }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_token_is_a_function_error_and_lambda_invokes_again() {
    let function = Function::start("counts").await;
    let code = "InvalidParameterValueException";
    function.fail_next([refusal(400, code, "Invalid Checkpoint Token: superseded")]);
    let ended = function.execute(3).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}", ended.error);
    let errors = function.errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["errorType"], code);
    assert_eq!(errors[0]["errorMessage"], "Invalid Checkpoint Token: superseded");
    let is_error = |line: &Value| line["level"] == "ERROR";
    let lines = function.log_with(is_error).await;
    let line = lines.into_iter().find(is_error).unwrap();
    assert_eq!(line["executionArn"], ended.arn);
    assert!(line["requestId"].is_string(), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn throttling_that_outlasts_the_sdk_is_a_function_error() {
    let function = Function::start("counts").await;
    function.fail_next(vec![refusal(429, "TooManyRequestsException", "Rate exceeded"); ATTEMPTS]);
    let ended = function.execute(1).await;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}", ended.error);
    let errors = function.errors();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["errorType"], "TooManyRequestsException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_refusal_fails_the_execution_with_the_services_words() {
    for (status, code, message) in [
        (400, "InvalidParameterValueException", "Invalid parent operation id."),
        (400, "InvalidParameterValueException", "Invalid marker"),
        (403, "AccessDeniedException", "not authorized to perform lambda:CheckpointDurableExecution"),
        (418, "SomethingNewException", "never"),
    ] {
        let function = Function::start("counts").await;
        function.fail_next([refusal(status, code, message)]);
        let ended = function.execute(1).await;
        assert_eq!(ended.status, ExecutionStatus::Failed);
        let error = ended.error.unwrap();
        assert_eq!(error.kind(), Some("CheckpointError"));
        assert!(error.message().contains(code) && error.message().contains(message), "{error}");
        assert_eq!(function.calls().len(), 1);
        assert_eq!(function.answers()[0].as_ref().unwrap()["Status"], "FAILED");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_out_of_reach_fails_the_execution_although_its_status_is_502() {
    let function = Function::start("counts").await;
    function.fail_next(vec![refusal(502, "KMSDisabledException", "the key is disabled"); ATTEMPTS]);
    let ended = function.execute(1).await;
    assert_eq!(ended.status, ExecutionStatus::Failed);
    assert!(ended.error.unwrap().message().contains("KMSDisabledException: the key is disabled"));
    assert!(function.errors().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_no_durable_invocation_is_a_function_error_that_says_what_to_do() {
    let function = Function::start("counts").await;
    let error = function.invoke(&json!({ "steps": 1 })).await.unwrap_err();
    assert_eq!(error["errorType"], "NotADurableInvocation");
    assert!(error["errorMessage"].as_str().unwrap().contains("DurableConfig"), "{error}");
    // The process goes on.
    assert_eq!(function.execute(2).await.result.as_deref(), Some("1"));
}

/// A function whose state comes in two pages once it has waited.
async fn paged() -> Function {
    let engine = Engine::builder().state_page(PageLimit { operations: 3, bytes: usize::MAX });
    Function::start_with("counts", engine, &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_token_while_the_state_is_read_is_a_function_error() {
    let function = paged().await;
    function.fail_next_read([refusal(400, "InvalidParameterValueException", "Invalid Checkpoint Token")]);
    let ended = function.execute(3).await;
    assert_eq!(ended.result.as_deref(), Some("3"), "{:?}", ended.error);
    assert_eq!(function.errors()[0]["errorType"], "InvalidParameterValueException");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permanent_refusal_while_the_state_is_read_fails_the_execution() {
    let function = paged().await;
    function.fail_next_read([refusal(400, "InvalidParameterValueException", "Invalid marker")]);
    let ended = function.execute(3).await;
    assert_eq!(ended.status, ExecutionStatus::Failed);
    assert!(ended.error.unwrap().message().contains("InvalidParameterValueException: Invalid marker"));
}
