//! Chained invokes: another registered function, run on its own.

use std::{fmt, time::Duration};

use cross_tests::runs::{finish, run};
use durable_engine::{Engine, ListFilter, PauseOptions, ResumeOptions, StartOptions};
use durable_runtime::{
    prelude::*,
    protocol::{ErrorObject, OperationStatus},
};
use durable_testing::{TestEngine, virtual_time};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NoPaper {
    trays: u32,
}

impl fmt::Display for NoPaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} empty trays", self.trays)
    }
}

#[durable_execution(name = "label-printer")]
async fn print_label(order: u32) -> Result<String, NoPaper> {
    wait(Duration::from_secs(60)).await;
    if order == 0 { Err(NoPaper { trays: 3 }) } else { Ok(format!("label {order}")) }
}

#[durable_execution]
async fn orders(order: u32) -> Result<String, InvokeError> {
    invoke("label-printer", &order).named("print").await
}

#[durable_execution]
async fn orders_typed(order: u32) -> Result<String, InvokeError> {
    print_label.invoke_on("label-printer", &order).await
}

#[test]
fn the_invoked_functions_value_is_the_result() {
    virtual_time(async {
        let test = TestEngine::new();
        test.register(print_label);
        let run = test.start(orders, 7).await;
        let ended = finish(&test, &run).await;
        assert_eq!(ended.elapsed, Duration::from_secs(60));
        // Two for each of the two executions: none is kept alive by waiting for the other.
        assert_eq!(ended.invocations, 4);
        assert_eq!(ended.named("print").status, OperationStatus::Succeeded);
        assert_eq!(ended.value(), "label 7");
    });
}

#[test]
fn the_types_come_from_the_function_when_it_is_known() {
    virtual_time(async {
        let test = TestEngine::new();
        test.register(print_label);
        assert_eq!(test.start(orders_typed, 8).await.result().await.unwrap(), "label 8");
    });
}

#[test]
fn the_invoked_functions_failure_arrives_with_its_type_message_and_data() {
    virtual_time(async {
        let test = TestEngine::new();
        test.register(print_label);
        let run = test.start(orders, 0).await;
        let failure = finish(&test, &run).await.failure();
        let InvokeError::Failed { function, error } = failure else { panic!("{failure}") };
        assert_eq!(
            (function.as_str(), error.kind(), error.message()),
            ("label-printer", Some("NoPaper"), "3 empty trays")
        );
        assert_eq!(error.error_data.as_deref(), Some(r#"{"trays":3}"#));
        let failure = InvokeError::Failed { function, error };
        assert_eq!(failure.to_string(), "3 empty trays", "its own words");
        assert_eq!(failure.downcast(), Some(NoPaper { trays: 3 }));
        assert_eq!(failure.downcast::<Error>(), None, "of another type");
    });
}

#[test]
fn a_function_that_ran_out_of_time_or_was_stopped_says_what_the_service_says() {
    virtual_time(async {
        let test = TestEngine::new();
        test.register(never);
        let stopped = test.start(patient, ()).await;
        let engine = test.engine();
        let child = until_started(&engine).await;
        engine.stop(&child, Some(ErrorObject::new("Cancelled", "no longer needed"))).await.unwrap();
        let failure = finish(&test, &stopped).await.failure();
        assert_eq!(failure.to_string(), "no longer needed");
        let InvokeError::Stopped { function, error } = failure else { panic!("{failure}") };
        assert_eq!((function.as_str(), error.kind()), ("never", Some("Cancelled")));
    });
    virtual_time(async {
        let test = TestEngine::new();
        test.register(never);
        // The limit is the caller's, whose own comes later by what it was paused.
        let limit = StartOptions { timeout: Some(Duration::from_secs(90)), ..StartOptions::named("caller") };
        let timed_out = test.start_with(patient, limit, ()).await;
        let engine = test.engine();
        until_started(&engine).await;
        engine.pause("caller", PauseOptions::default()).await.unwrap();
        test.clock().sleep_until(test.clock().now().after(Duration::from_secs(100))).await;
        engine.resume("caller", ResumeOptions::default()).await.unwrap();
        let failure = finish(&test, &timed_out).await.failure();
        assert_eq!(failure.to_string(), "Execution timed out after 90 seconds.");
        let InvokeError::TimedOut { function, error } = failure else { panic!("{failure}") };
        assert_eq!((function.as_str(), error.kind()), ("never", Some("Execution.Timeout")));
    });
}

#[durable_execution]
async fn never() -> String {
    wait(Duration::from_secs(100_000)).await;
    "never".to_owned()
}

#[durable_execution]
async fn patient() -> Result<String, InvokeError> {
    invoke("never", &()).await
}

/// The execution of `never`, once it is there.
async fn until_started(engine: &Engine) -> String {
    loop {
        let list = ListFilter { function: Some("never".to_owned()), ..ListFilter::default() };
        if let Some(found) = engine.list(list).await.expect("the store is in memory").executions.pop() {
            return found.arn;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[test]
fn a_function_that_nobody_registered_is_a_failure_that_names_it() {
    let failure = run(orders, 7).failure();
    let InvokeError::Failed { function, error } = failure else { panic!("{failure}") };
    assert_eq!(function, "label-printer");
    assert!(error.message().contains("label-printer"), "{error}");
}

#[durable_execution]
async fn two_at_once(order: u32) -> Result<Vec<String>, InvokeError> {
    let (first, second) = try_join!(
        invoke::<_, String>("label-printer", &order),
        invoke::<_, String>("label-printer", &(order + 1)),
    )
    .await?;
    Ok(vec![first, second])
}

#[test]
fn invokes_run_side_by_side() {
    virtual_time(async {
        let test = TestEngine::new();
        test.register(print_label);
        let run = test.start(two_at_once, 1).await;
        let ended = finish(&test, &run).await;
        assert_eq!(ended.elapsed, Duration::from_secs(60));
        assert_eq!(ended.value(), ["label 1", "label 2"]);
    });
}

#[durable_execution]
async fn too_much(bytes: usize) -> Result<String, InvokeError> {
    invoke("label-printer", &"x".repeat(bytes)).named("print").await
}

#[test]
fn an_input_over_the_services_limit_fails_the_execution_with_the_operations_name() {
    let ended = run(too_much, 1024 * 1024);
    assert_eq!(ended.error().kind(), Some("PayloadTooLarge"));
    assert!(ended.error().message().contains("`print`"), "{}", ended.error());
}
