//! Ended executions are removed when their time is over, and nothing else is, on both stores.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use durable_engine::{Engine, EngineError, ExecutionStatus, ListFilter, StartOptions, service::ExecutionArn};
use durable_runtime::{environment::Clock as _, workflow::SharedWorkflow};
use support::*;

fn quick(name: &'static str) -> SharedWorkflow {
    workflow(name, |invocation| async move {
        let result = invocation.step("only", "\"done\"").await?;
        succeeded(&result)
    })
}

fn patient() -> SharedWorkflow {
    workflow("patient", |invocation| async move {
        if !invocation.waited("long", 10_000).await? {
            return pending();
        }
        succeeded("1")
    })
}

async fn start(engine: &Engine, function: &str, name: &str) -> String {
    let options = StartOptions { name: Some(name.to_owned()), ..StartOptions::default() };
    engine.start_raw(function, options, "1".into()).await.unwrap().arn
}

async fn names(engine: &Engine) -> Vec<String> {
    let list = engine.list(ListFilter { oldest_first: true, ..ListFilter::default() }).await.unwrap();
    list.executions.into_iter().map(|execution| execution.name).collect()
}

#[tokio::test]
async fn what_ended_before_is_removed_and_nothing_else() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let builder = backend.builder(&clock).workflow(quick("quick")).workflow(quick("other"));
        let engine = builder.workflow(patient()).open().unwrap();
        let old = start(&engine, "quick", "old").await;
        for (function, name) in [("other", "of-another-function"), ("patient", "waits")] {
            let arn = start(&engine, function, name).await;
            if function == "patient" {
                until_suspended(&engine, &arn).await;
            } else {
                engine.wait_for_end(&arn).await.unwrap();
            }
        }
        engine.wait_for_end(&old).await.unwrap();
        clock.advance(Duration::from_secs(100));
        let now = clock.now();
        let young = start(&engine, "quick", "young").await;
        engine.wait_for_end(&young).await.unwrap();
        engine.wait_for_end(&start(&engine, "quick", "newest").await).await.unwrap();

        assert_eq!(engine.purge_ended(Some("quick"), now).await.unwrap(), 1);
        assert_eq!(names(&engine).await, ["of-another-function", "waits", "young", "newest"]);
        assert!(matches!(engine.get(&old).await, Err(EngineError::NotFound { .. })));
        assert!(engine.operations(&old).await.is_err());
        assert_eq!(engine.purge_ended(None, now).await.unwrap(), 1);
        assert_eq!(names(&engine).await, ["waits", "young", "newest"]);
        assert_eq!(engine.purge_ended(None, now).await.unwrap(), 0);

        let again = start(&engine, "quick", "old").await;
        assert_ne!(again, old, "the name is free for another execution");
        assert_eq!(engine.wait_for_end(&again).await.unwrap().status, ExecutionStatus::Succeeded);
    }
}

#[tokio::test]
async fn many_executions_go_in_several_transactions() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let engine = backend.builder(&clock).workflow(quick("quick")).open().unwrap();
        for number in 0..100 {
            let arn = start(&engine, "quick", &format!("n-{number}")).await;
            engine.wait_for_end(&arn).await.unwrap();
        }
        let later = clock.now().after(Duration::from_secs(1));
        assert_eq!(engine.purge_ended(None, later).await.unwrap(), 100);
        assert!(names(&engine).await.is_empty());
    }
}

#[tokio::test]
async fn numbers_are_not_given_again_after_a_restart() {
    let [_, backend] = Backend::both();
    let clock = TestClock::new();
    let open = || backend.builder(&clock).workflow(quick("quick")).open().unwrap();
    let engine = open();
    let mut arns = Vec::new();
    for round in 0..5 {
        let arn = start(&engine, "quick", &format!("round-{round}")).await;
        engine.wait_for_end(&arn).await.unwrap();
        arns.push(arn);
    }
    engine.purge_ended(None, clock.now().after(Duration::from_secs(1))).await.unwrap();
    drop(engine);
    let engine = open();
    let fresh = start(&engine, "quick", "fresh").await;
    engine.wait_for_end(&fresh).await.unwrap();
    for old in &arns {
        assert!(matches!(engine.get(old).await, Err(EngineError::NotFound { .. })), "{old}");
    }
    assert_eq!(names(&engine).await, ["fresh"]);
    let number = |arn: &str| {
        let id = ExecutionArn::parse(arn).unwrap().id.to_owned();
        i64::from_str_radix(id.split('-').next().unwrap(), 16).unwrap()
    };
    assert!(arns.iter().all(|old| number(old) < number(&fresh)), "{arns:?}, {fresh}");
}

#[tokio::test]
async fn a_child_that_its_parent_waits_for_is_kept_until_the_parent_knows() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let parent = workflow("parent", |invocation| async move {
            let Some(call) = invocation.operation("call") else {
                invocation.checkpoint(vec![invoke("call", "child", "1")]).await.map_err(ended)?;
                return pending();
            };
            if !call.status.is_terminal() {
                return pending();
            }
            succeeded(&call.chained_invoke_details.and_then(|details| details.result).unwrap())
        });
        let engine = backend.builder(&clock).workflow(parent).workflow(quick("child")).open().unwrap();
        let arn = start(&engine, "parent", "p").await;
        let later = clock.now().after(Duration::from_secs(1));
        // Whenever the purge strikes, the parent gets its answer.
        while !engine.get(&arn).await.unwrap().status.is_terminal() {
            engine.purge_ended(Some("child"), later).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let ended = engine.get(&arn).await.unwrap();
        assert_eq!(ended.result.as_deref(), Some("\"done\""));
        assert!(engine.purge_ended(Some("child"), later).await.unwrap() <= 1);
    }
}
