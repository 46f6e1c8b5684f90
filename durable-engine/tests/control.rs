//! Pausing, resuming and deleting executions, on both stores and through crashes.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use durable_engine::{
    Engine, EngineError, ExecutionStatus, ListFilter, PauseOptions, ResumeOptions, StartOptions,
};
use durable_runtime::{environment::Clock as _, workflow::SharedWorkflow};
use support::*;
use tokio::sync::watch;

/// Ten steps, each of them when the gate is open for it.
fn steps(gate: watch::Receiver<usize>, bodies: Arc<AtomicUsize>) -> SharedWorkflow {
    workflow("steps", move |invocation| {
        let (mut gate, bodies) = (gate.clone(), Arc::clone(&bodies));
        async move {
            for number in 0..10 {
                let id = format!("s{number}");
                if invocation.operation(&id).is_none() {
                    gate.wait_for(|open| *open > number).await.unwrap();
                    bodies.fetch_add(1, Ordering::SeqCst);
                }
                invocation.step(&id, &number.to_string()).await?;
            }
            succeeded("\"done\"")
        }
    })
}

fn patient() -> SharedWorkflow {
    workflow("patient", |invocation| async move {
        if !invocation.waited("w", 60).await? {
            return pending();
        }
        succeeded("\"waited\"")
    })
}

async fn start(engine: &Engine, function: &str) -> String {
    engine.start_raw(function, StartOptions::named("x"), "1".into()).await.unwrap().arn
}

async fn pause(engine: &Engine) {
    engine.pause("x", PauseOptions::default()).await.unwrap();
}

async fn resume(engine: &Engine) {
    engine.resume("x", ResumeOptions::default()).await.unwrap();
}

async fn until_status(engine: &Engine, status: ExecutionStatus) {
    until(status.as_str(), || async { engine.get("x").await.unwrap().status == status }).await;
}

#[tokio::test]
async fn a_running_execution_is_paused_at_its_next_checkpoint_and_repeats_nothing() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (gate, opened) = watch::channel(3);
        let bodies = Arc::new(AtomicUsize::new(0));
        let engine =
            backend.builder(&clock).workflow(steps(opened.clone(), Arc::clone(&bodies))).open().unwrap();
        start(&engine, "steps").await;
        until("three steps", || async { engine.operations("x").await.unwrap().len() == 4 }).await;
        pause(&engine).await;
        assert_eq!(engine.get("x").await.unwrap().status, ExecutionStatus::Pausing);
        gate.send_replace(100);
        until_status(&engine, ExecutionStatus::Paused).await;
        until("the invocation ends", || async { !engine.get("x").await.unwrap().is_invoking }).await;
        assert_eq!(engine.operations("x").await.unwrap().len(), 5, "the checkpoint counts");
        let paused = engine.get("x").await.unwrap();
        assert!(paused.pause.is_some() && paused.times_out_at.is_some());

        // A restart changes nothing about it.
        drop(engine);
        let engine =
            backend.builder(&clock).workflow(steps(opened.clone(), Arc::clone(&bodies))).open().unwrap();
        let again = engine.get("x").await.unwrap();
        assert_eq!((again.status, again.pause), (ExecutionStatus::Paused, paused.pause));
        let list = ListFilter { statuses: vec![ExecutionStatus::Paused], ..ListFilter::default() };
        assert_eq!(engine.list(list).await.unwrap().executions.len(), 1);
        resume(&engine).await;
        assert_eq!(engine.wait_for_end("x").await.unwrap().result.as_deref(), Some("\"done\""));
        assert_eq!(bodies.load(Ordering::SeqCst), 10);
        let types = event_types(&engine, "x").await;
        let count = |kind: &str| types.iter().filter(|found| *found == kind).count();
        assert_eq!((count("ExecutionPaused"), count("ExecutionResumed")), (1, 1), "{types:?}");
        assert_eq!(count("InvocationCompleted"), 2, "{types:?}");
    }
}

#[tokio::test]
async fn a_crash_at_any_moment_of_a_pause_keeps_it() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (gate, opened) = watch::channel(0);
        let bodies = Arc::new(AtomicUsize::new(0));
        let open =
            || backend.builder(&clock).workflow(steps(opened.clone(), Arc::clone(&bodies))).open().unwrap();
        // While its invocation runs: the execution is paused at once by the recovery.
        let engine = open();
        start(&engine, "steps").await;
        pause(&engine).await;
        drop(engine);
        let engine = open();
        until_status(&engine, ExecutionStatus::Paused).await;
        drop(engine);
        // Paused, with an invocation owed: nothing begins.
        gate.send_replace(100);
        let engine = open();
        clock.advance(Duration::from_secs(3600));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(engine.get("x").await.unwrap().status, ExecutionStatus::Paused);
        assert_eq!(bodies.load(Ordering::SeqCst), 0);
        // Resumed, and then dead before the invocation could do anything.
        resume(&engine).await;
        drop(engine);
        let engine = open();
        assert_eq!(engine.wait_for_end("x").await.unwrap().status, ExecutionStatus::Succeeded);
    }
}

#[tokio::test]
async fn time_goes_on_during_a_pause() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let engine = backend.builder(&clock).workflow(patient()).open().unwrap();
        start(&engine, "patient").await;
        until_suspended(&engine, "x").await;
        pause(&engine).await;
        clock.advance(Duration::from_secs(60));
        until("the wait ends", || async {
            event_types(&engine, "x").await.iter().any(|kind| kind == "WaitSucceeded")
        })
        .await;
        assert_eq!(engine.get("x").await.unwrap().status, ExecutionStatus::Paused);
        resume(&engine).await;
        let ended = engine.wait_for_end("x").await.unwrap();
        assert_eq!(ended.result.as_deref(), Some("\"waited\""));
        assert_eq!((ended.pause, ended.times_out_at), (None, None));
    }
}

#[tokio::test]
async fn what_cannot_be_paused_resumed_or_deleted_says_why() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let engine = backend.builder(&clock).workflow(patient()).open().unwrap();
        let arn = start(&engine, "patient").await;
        until_suspended(&engine, "x").await;
        let resumed = engine.resume("x", ResumeOptions::default()).await.unwrap_err();
        assert_eq!(
            resumed.to_string(),
            format!("the execution is RUNNING; only one that is PAUSED or PAUSING can be resumed ({arn})")
        );
        let deleted = engine.delete("x").await.unwrap_err();
        assert!(deleted.to_string().contains("only one that has ended can be deleted"), "{deleted}");
        pause(&engine).await;
        let again = engine.pause("x", PauseOptions::default()).await.unwrap_err();
        assert!(matches!(again, EngineError::WrongStatus { status: ExecutionStatus::Paused, .. }), "{again}");
        let reason = Some("x".repeat(1025));
        let wordy = engine.resume("x", ResumeOptions { reason, ..ResumeOptions::default() }).await;
        assert!(matches!(wordy, Err(EngineError::ReasonTooLong { characters: 1025 })));
        for unknown in [
            engine.pause("y", PauseOptions::default()).await,
            engine.resume("y", ResumeOptions::default()).await,
            engine.delete("y").await.map(drop),
        ] {
            assert!(matches!(unknown, Err(EngineError::NotFound { .. })), "{unknown:?}");
        }
    }
}

#[tokio::test]
async fn a_deleted_execution_is_gone_and_its_name_is_free() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let engine = backend.builder(&clock).workflow(patient()).open().unwrap();
        let arn = start(&engine, "patient").await;
        until_suspended(&engine, "x").await;
        engine.stop("x", None).await.unwrap();
        assert_eq!(engine.delete(&arn).await.unwrap(), clock.now());
        assert!(matches!(engine.get(&arn).await, Err(EngineError::NotFound { .. })));
        assert!(matches!(engine.delete(&arn).await, Err(EngineError::NotFound { .. })));
        assert!(engine.list(ListFilter::default()).await.unwrap().executions.is_empty());
        drop(engine);
        let engine = backend.builder(&clock).workflow(patient()).open().unwrap();
        assert_ne!(start(&engine, "patient").await, arn);
        until_suspended(&engine, "x").await;
    }
}

#[tokio::test]
async fn an_invocation_that_outlives_its_deleted_execution_harms_nobody() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (gate, opened) = watch::channel(0);
        let bodies = Arc::new(AtomicUsize::new(0));
        let builder = backend.builder(&clock).workflow(steps(opened, Arc::clone(&bodies)));
        let engine = builder.workflow(patient()).open().unwrap();
        start(&engine, "steps").await;
        until("it runs", || async { engine.get("x").await.unwrap().is_invoking }).await;
        engine.stop("x", None).await.unwrap();
        engine.delete("x").await.unwrap();
        // Its end is written together with whatever else is.
        gate.send_replace(100);
        for number in 0..20 {
            let name = StartOptions::named(format!("other-{number}"));
            engine.start_raw("patient", name, "1".into()).await.unwrap();
        }
        until("it is over", || async { engine.executions_in_memory() == 0 }).await;
        assert!(matches!(engine.get("x").await, Err(EngineError::NotFound { .. })));
        assert_eq!(engine.list(ListFilter::default()).await.unwrap().executions.len(), 20);
    }
}

#[tokio::test]
async fn a_parent_hears_of_the_end_of_an_execution_before_that_is_deleted() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let parent = || {
            workflow("parent", |invocation| async move {
                let Some(call) = invocation.operation("call") else {
                    invocation.checkpoint(vec![invoke("call", "patient", "1")]).await.map_err(ended)?;
                    return pending();
                };
                if !call.status.is_terminal() {
                    return pending();
                }
                succeeded(&format!("\"{:?}\"", call.status))
            })
        };
        let engine = backend.builder(&clock).workflow(parent()).workflow(patient()).open().unwrap();
        let arn = start(&engine, "parent").await;
        let child = || async {
            let list = ListFilter { function: Some("patient".into()), ..ListFilter::default() };
            engine.list(list).await.unwrap().executions.pop()
        };
        until("the child is there", || async { child().await.is_some() }).await;
        let child = child().await.unwrap().arn;
        until_suspended(&engine, &child).await;
        engine.stop(&child, None).await.unwrap();
        engine.delete(&child).await.unwrap();
        assert_eq!(engine.wait_for_end(&arn).await.unwrap().result.as_deref(), Some("\"Stopped\""));
    }
}

#[tokio::test]
async fn a_trace_is_handed_on_to_invocations_and_to_the_executions_that_they_start() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let parent = workflow("parent", |invocation| async move {
            let Some(call) = invocation.operation("call") else {
                let mut own = invoke("own", "child", "1");
                own.chained_invoke_options.as_mut().unwrap().x_amzn_trace_id = Some("Root=own".into());
                let both = vec![invoke("call", "child", "1"), own];
                invocation.checkpoint(both).await.map_err(ended)?;
                return pending();
            };
            let own = invocation.operation("own").unwrap();
            if !call.status.is_terminal() || !own.status.is_terminal() {
                return pending();
            }
            let results = [call, own].map(|call| call.chained_invoke_details.unwrap().result.unwrap());
            succeeded(&format!("{} {}", results[0].as_str(), results[1].as_str()))
        });
        let child = workflow("child", |invocation| async move {
            succeeded(invocation.environment.trace_header.as_deref().unwrap_or("none"))
        });
        let engine = backend.builder(&clock).workflow(parent).workflow(child).open().unwrap();
        let options = StartOptions { trace_header: Some("Root=1".into()), ..StartOptions::named("x") };
        engine.start_raw("parent", options, "1".into()).await.unwrap();
        let ended = engine.wait_for_end("x").await.unwrap();
        assert_eq!(ended.result.as_deref(), Some("Root=1 Root=own"));
        assert_eq!(ended.trace_header.as_deref(), Some("Root=1"));
    }
}
