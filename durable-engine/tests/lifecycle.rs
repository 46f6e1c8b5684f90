//! From start to end: suspension, timers, retries, failures, stops, time limits, on both stores.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use durable_engine::{EngineError, ExecutionStatus, HistoryPage, ListFilter, StartOptions};
use durable_runtime::{
    protocol::{ErrorObject, InvocationOutput, OperationAction, OperationStatus, OperationType},
    workflow::{InvocationError, SharedWorkflow},
};
use support::*;

fn step_then_wait() -> SharedWorkflow {
    workflow("step-then-wait", |invocation| async move {
        let greeting = invocation.step("greet", "\"hello\"").await?;
        if !invocation.waited("pause", 60).await? {
            return pending();
        }
        succeeded(&greeting)
    })
}

#[tokio::test]
async fn an_execution_suspends_on_a_wait_and_finishes_after_it() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let engine = backend.builder(&clock).workflow(step_then_wait()).open().unwrap();
        let started = engine.start_raw("step-then-wait", StartOptions::default(), "1".into()).await.unwrap();
        assert!(started.is_new);
        until_suspended(&engine, &started.arn).await;
        // A suspended execution costs no memory, once the write that suspended it is over.
        until("it left the memory", || async { engine.executions_in_memory() == 0 }).await;
        clock.advance(Duration::from_secs(59));
        assert_eq!(engine.get(&started.arn).await.unwrap().status, ExecutionStatus::Running);
        clock.advance(Duration::from_secs(1));
        let ended = engine.wait_for_end(&started.arn).await.unwrap();
        assert_eq!(ended.status, ExecutionStatus::Succeeded);
        assert_eq!(ended.result.as_deref(), Some("\"hello\""));
        assert_eq!(ended.input.as_deref(), Some("1"));
        assert_eq!(
            event_types(&engine, &started.arn).await,
            [
                "ExecutionStarted",
                "StepStarted",
                "StepSucceeded",
                "WaitStarted",
                "InvocationCompleted",
                "WaitSucceeded",
                "InvocationCompleted",
                "ExecutionSucceeded"
            ]
        );
    }
}

#[tokio::test]
async fn a_failing_step_is_ready_after_its_delay() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let flaky = workflow("flaky", |invocation| async move {
            if invocation.operation("s").is_none() {
                let start = update("s", OperationType::Step, OperationAction::Start);
                invocation.checkpoint(vec![start, retry("s", "not yet", 5)]).await.map_err(ended)?;
                return pending();
            }
            assert_eq!(invocation.status("s"), Some(OperationStatus::Ready));
            let start = update("s", OperationType::Step, OperationAction::Start);
            invocation.checkpoint(vec![start]).await.map_err(ended)?;
            invocation.step("s", "2").await?;
            succeeded("2")
        });
        let engine = backend.builder(&clock).workflow(flaky).open().unwrap();
        let started = engine.start_raw("flaky", StartOptions::named("one"), "null".into()).await.unwrap();
        until_suspended(&engine, "one").await;
        clock.advance(Duration::from_secs(5));
        assert_eq!(engine.wait_for_end("one").await.unwrap().status, ExecutionStatus::Succeeded);
        assert_eq!(
            event_types(&engine, &started.arn).await,
            [
                "ExecutionStarted",
                "StepStarted",
                "StepFailed",
                "InvocationCompleted",
                "StepStarted",
                "StepSucceeded",
                "InvocationCompleted",
                "ExecutionSucceeded"
            ]
        );
    }
}

#[tokio::test]
async fn failed_invocations_are_repeated_and_the_fifth_in_a_row_fails_the_execution() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let broken = workflow("broken", move |_| {
            let attempt = counted.fetch_add(1, Ordering::SeqCst) + 1;
            async move {
                assert_ne!(attempt, 2, "the second invocation panics");
                Err::<InvocationOutput, _>(InvocationError::new(format!("attempt {attempt}")))
            }
        });
        let engine = backend.builder(&clock).workflow(broken).open().unwrap();
        engine.start_raw("broken", StartOptions::named("b"), "null".into()).await.unwrap();
        for attempt in 1..=4 {
            until("the next attempt failed", || async {
                event_types(&engine, "b").await.len() == 1 + attempt
            })
            .await;
            clock.advance(Duration::from_secs(5));
        }
        let ended = engine.wait_for_end("b").await.unwrap();
        assert_eq!(ended.status, ExecutionStatus::Failed);
        assert_eq!(ended.error.unwrap().message(), "attempt 5");
        assert_eq!(count.load(Ordering::SeqCst), 5);
        let history = engine.history("b", HistoryPage::all()).await.unwrap();
        let second = serde_json::to_value(&history.events[2]).unwrap();
        let error = &second["InvocationCompletedDetails"]["Error"]["Payload"];
        assert_eq!(error["ErrorType"], "Runtime.ExitError");
        assert!(error["ErrorMessage"].as_str().unwrap().contains("the second invocation panics"), "{error}");
    }
}

#[tokio::test]
async fn pending_with_nothing_pending_is_a_failed_invocation() {
    let clock = TestClock::new();
    for backend in Backend::both() {
        let idle = workflow("idle", |_| async { pending() });
        let engine = backend.builder(&clock).workflow(idle).open().unwrap();
        engine.start_raw("idle", StartOptions::named("i"), "null".into()).await.unwrap();
        until_suspended(&engine, "i").await;
        let history = engine.history("i", HistoryPage::all()).await.unwrap();
        let completed = serde_json::to_value(&history.events[1]).unwrap();
        let error = &completed["InvocationCompletedDetails"]["Error"]["Payload"];
        assert_eq!(error["ErrorType"], "InvalidInvocationOutput");
    }
}

#[tokio::test]
async fn starting_is_idempotent_by_name() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let engine = backend.builder(&clock).workflow(step_then_wait()).open().unwrap();
        let start = |input: &'static str| {
            engine.start_raw("step-then-wait:$LATEST", StartOptions::named("order-1"), input.into())
        };
        let first = start("1").await.unwrap();
        let again = start("1").await.unwrap();
        assert_eq!((again.arn, again.is_new), (first.arn.clone(), false));
        match start("2").await {
            Err(EngineError::AlreadyStarted { arn, .. }) => assert_eq!(arn, first.arn),
            other => panic!("{other:?}"),
        }
        let concurrent = futures_join(8, || {
            let engine = engine.clone();
            async move {
                engine.start_raw("step-then-wait", StartOptions::named("rush"), "1".into()).await.unwrap()
            }
        })
        .await;
        assert_eq!(concurrent.iter().filter(|started| started.is_new).count(), 1);
        assert!(concurrent.iter().all(|started| started.arn == concurrent[0].arn));
        until_suspended(&engine, "rush").await;
        until_suspended(&engine, "order-1").await;
        assert_eq!(engine.executions_in_memory(), 0, "refused starts leave nothing in memory");
    }
}

async fn futures_join<T: Send + 'static, R: Future<Output = T> + Send + 'static>(
    count: usize,
    make: impl Fn() -> R,
) -> Vec<T> {
    let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(make())).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

#[tokio::test]
async fn bad_starts_say_what_to_do() {
    let clock = TestClock::new();
    let engine = Backend::both()[0].builder(&clock).workflow(step_then_wait()).open().unwrap();
    let unknown = engine.start_raw("chekout", StartOptions::default(), "1".into()).await.unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "no workflow named 'chekout' is registered; registered are: step-then-wait"
    );
    let name = engine.start_raw("step-then-wait", StartOptions::named("a b"), "1".into()).await.unwrap_err();
    assert!(matches!(name, EngineError::InvalidName { .. }), "{name}");
    let options = StartOptions { timeout: Some(Duration::from_millis(10)), ..StartOptions::default() };
    let timeout = engine.start_raw("step-then-wait", options, "1".into()).await.unwrap_err();
    assert!(matches!(timeout, EngineError::InvalidTimeout { seconds: 0 }), "{timeout}");
    let large = "x".repeat(6 * 1024 * 1024 + 1);
    let large = engine.start_raw("step-then-wait", StartOptions::default(), large.into()).await.unwrap_err();
    assert!(matches!(large, EngineError::InputTooLarge { .. }), "{large}");
    let missing = engine.get("nothing").await.unwrap_err();
    assert!(matches!(missing, EngineError::NotFound { .. }), "{missing}");
}

#[tokio::test]
async fn a_stopped_execution_ignores_its_running_invocation() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (release, released) = tokio::sync::watch::channel(false);
        let slow = workflow("slow", move |invocation| {
            let mut released = released.clone();
            async move {
                invocation
                    .checkpoint(vec![update("s", OperationType::Step, OperationAction::Start)])
                    .await
                    .unwrap();
                released.wait_for(|released| *released).await.unwrap();
                let late = invocation.checkpoint(vec![wait("w", 5)]).await.unwrap_err();
                assert!(late.message.starts_with("Invalid Checkpoint Token"), "{late}");
                succeeded("1")
            }
        });
        let engine = backend.builder(&clock).workflow(slow).open().unwrap();
        engine.start_raw("slow", StartOptions::named("s"), "null".into()).await.unwrap();
        until("the step runs", || async { event_types(&engine, "s").await.len() == 2 }).await;
        clock.advance(Duration::from_secs(1));
        let first = engine.stop("s", Some(ErrorObject::new("Operator", "enough"))).await.unwrap();
        clock.advance(Duration::from_secs(1));
        assert_eq!(engine.stop("s", None).await.unwrap(), first, "a repeated stop answers the same moment");
        let ended = engine.wait_for_end("s").await.unwrap();
        assert_eq!((ended.status, ended.ended_at), (ExecutionStatus::Stopped, Some(first)));
        assert_eq!(ended.error.unwrap().message(), "enough");
        release.send_replace(true);
        until("the invocation ended", || async { event_types(&engine, "s").await.len() == 4 }).await;
        assert_eq!(
            event_types(&engine, "s").await,
            ["ExecutionStarted", "StepStarted", "ExecutionStopped", "InvocationCompleted"]
        );
        assert_eq!(engine.get("s").await.unwrap().status, ExecutionStatus::Stopped);
        assert_eq!(engine.operations("s").await.unwrap()[1].status, OperationStatus::Started);
    }
}

#[tokio::test]
async fn an_execution_times_out_while_suspended_and_while_running() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let hang = workflow("hang", |invocation| async move {
            invocation.checkpoint(vec![wait("w", 1000)]).await.unwrap();
            std::future::pending().await
        });
        let engine = backend.builder(&clock).workflow(step_then_wait()).workflow(hang).open().unwrap();
        let options =
            |name: &str| StartOptions { timeout: Some(Duration::from_secs(30)), ..StartOptions::named(name) };
        engine.start_raw("step-then-wait", options("suspended"), "1".into()).await.unwrap();
        engine.start_raw("hang", options("running"), "1".into()).await.unwrap();
        until_suspended(&engine, "suspended").await;
        until("the wait is there", || async { event_types(&engine, "running").await.len() == 2 }).await;
        clock.advance(Duration::from_secs(30));
        for name in ["suspended", "running"] {
            let ended = engine.wait_for_end(name).await.unwrap();
            assert_eq!(ended.status, ExecutionStatus::TimedOut);
            assert_eq!(ended.error.unwrap().message(), "Execution timed out after 30 seconds.");
            assert_eq!(event_types(&engine, name).await.last().unwrap(), "ExecutionTimedOut");
        }
    }
}

#[tokio::test]
async fn executions_are_listed_newest_first_by_function_status_and_page() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let quick = workflow("quick", |_| async { succeeded("1") });
        let engine = backend.builder(&clock).workflow(step_then_wait()).workflow(quick).open().unwrap();
        for number in 0..5 {
            engine.start_raw("quick", StartOptions::named(format!("q{number}")), "1".into()).await.unwrap();
            engine
                .start_raw("step-then-wait", StartOptions::named(format!("w{number}")), "1".into())
                .await
                .unwrap();
            engine.wait_for_end(&format!("q{number}")).await.unwrap();
        }
        let names = |list: &durable_engine::ExecutionList| {
            list.executions.iter().map(|execution| execution.name.clone()).collect::<Vec<_>>()
        };
        let filter = ListFilter { function: Some("quick".into()), limit: 3, ..ListFilter::default() };
        let page = engine.list(filter.clone()).await.unwrap();
        assert_eq!(names(&page), ["q4", "q3", "q2"]);
        let page = engine.list(ListFilter { marker: page.next, ..filter }).await.unwrap();
        assert_eq!((names(&page), page.next.is_none()), (vec!["q1".to_owned(), "q0".to_owned()], true));
        let filter = ListFilter {
            statuses: vec![ExecutionStatus::Running, ExecutionStatus::Failed],
            oldest_first: true,
            ..ListFilter::default()
        };
        assert_eq!(names(&engine.list(filter).await.unwrap()), ["w0", "w1", "w2", "w3", "w4"]);
        let filter = ListFilter { name: Some("q2".into()), ..ListFilter::default() };
        assert_eq!(names(&engine.list(filter).await.unwrap()), ["q2"]);
    }
}

#[tokio::test]
async fn history_is_read_in_pages_in_both_directions() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let steps = workflow("steps", |invocation| async move {
            for number in 0..10 {
                invocation.step(&format!("s{number}"), &format!("\"{number}\"")).await?;
            }
            succeeded("\"done\"")
        });
        let engine = backend.builder(&clock).workflow(steps).open().unwrap();
        engine.start_raw("steps", StartOptions::named("h"), "\"in\"".into()).await.unwrap();
        engine.wait_for_end("h").await.unwrap();
        let all = engine.history("h", HistoryPage::all()).await.unwrap().events;
        assert_eq!(all.len(), 23);
        let text = serde_json::to_string(&all).unwrap();
        for payload in [
            r#""Input":{"Payload":"\"in\"","Truncated":false}"#,
            r#"{"Payload":"\"7\"","Truncated":false}"#,
            r#""ExecutionSucceededDetails":{"Result":{"Payload":"\"done\"""#,
        ] {
            assert!(text.contains(payload), "{payload} is missing in {text}");
        }
        for newest_first in [false, true] {
            let mut events = Vec::new();
            let mut marker = None;
            loop {
                let page = HistoryPage { marker, limit: 7, newest_first };
                let page = engine.history("h", page).await.unwrap();
                events.extend(page.events);
                marker = page.next;
                if marker.is_none() {
                    break;
                }
            }
            if newest_first {
                events.reverse();
            }
            assert_eq!(events, all);
        }
    }
}

#[tokio::test]
async fn an_operation_can_be_waited_for_while_its_execution_goes_on() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let may_end = Arc::new(tokio::sync::Notify::new());
        let gate = Arc::clone(&may_end);
        let steps = workflow("steps", move |invocation| {
            let gate = Arc::clone(&gate);
            async move {
                for name in ["first", "second"] {
                    let mut done = update(name, OperationType::Step, OperationAction::Succeed);
                    done.name = Some(name.into());
                    done.payload = Some(format!("\"{name}\"").into());
                    invocation.checkpoint(vec![done]).await.map_err(ended)?;
                }
                gate.notified().await;
                succeeded("1")
            }
        });
        let engine = backend.builder(&clock).workflow(steps).open().unwrap();
        engine.start_raw("steps", StartOptions::named("x"), "1".into()).await.unwrap();
        let waiting = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.wait_for_operation("x", "second").await })
        };
        let absent = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.wait_for_operation("x", "third").await })
        };
        let second = waiting.await.unwrap().unwrap().unwrap();
        assert_eq!(second.step_details.unwrap().result.as_deref(), Some("\"second\""));
        assert_eq!(engine.get("x").await.unwrap().status, ExecutionStatus::Running);
        // One that ended long ago, and one that there never is.
        let first = engine.wait_for_operation("x", "first").await.unwrap().unwrap();
        assert_eq!(first.step_details.unwrap().result.as_deref(), Some("\"first\""));
        assert!(!absent.is_finished());
        may_end.notify_one();
        assert!(absent.await.unwrap().unwrap().is_none());
        assert!(engine.wait_for_operation("x", "first").await.unwrap().is_some(), "after the end, too");
        let unknown = engine.wait_for_operation("nobody", "first").await.unwrap_err();
        assert!(matches!(unknown, EngineError::NotFound { .. }), "{unknown}");
    }
}

#[tokio::test]
async fn an_eager_start_is_as_durable_once_it_returns_and_one_that_is_refused_leaves_nothing() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&begun);
        let steps = workflow("steps", move |invocation| {
            count.fetch_add(1, Ordering::SeqCst);
            async move {
                invocation.step("s", "1").await?;
                succeeded("1")
            }
        });
        let engine = backend.builder(&clock).workflow(steps).open().unwrap();
        let eager = || StartOptions { eager: true, ..StartOptions::named("x") };
        let started = engine.start_raw("steps", eager(), "1".into()).await.unwrap();
        assert!(started.is_new);
        assert_eq!(engine.get("x").await.unwrap().arn, started.arn);
        assert_eq!(engine.wait_for_end("x").await.unwrap().status, ExecutionStatus::Succeeded);

        let refused = engine.start_raw("steps", eager(), "2".into()).await.unwrap_err();
        assert!(matches!(refused, EngineError::AlreadyStarted { .. }), "{refused}");
        // Its invocation had begun, and found that there is no such execution.
        until("the second one ended", || async { engine.executions_in_memory() == 0 }).await;
        assert!(begun.load(Ordering::SeqCst) <= 2);
        let all = engine.list(ListFilter::default()).await.unwrap().executions;
        assert_eq!(all.iter().map(|it| it.arn.as_str()).collect::<Vec<_>>(), [started.arn.as_str()]);
        assert_eq!(event_types(&engine, "x").await.len(), 5);
    }
}

#[tokio::test]
async fn who_waits_is_told_that_the_engine_stopped_though_the_execution_is_in_memory() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let stuck = workflow("stuck", |invocation| async move {
            invocation.checkpoint(vec![callback("answer", None, None)]).await.map_err(ended)?;
            std::future::pending().await
        });
        let engine = backend.builder(&clock).workflow(stuck).open().unwrap();
        engine.start_raw("stuck", StartOptions::named("x"), "1".into()).await.unwrap();
        until("it has a callback", || async { engine.operations("x").await.unwrap().len() == 2 }).await;
        let arn = engine.get("x").await.unwrap().arn;
        let operations = engine.operations("x").await.unwrap();
        let id = operations[1].callback_details.as_ref().unwrap().callback_id.clone().unwrap();
        // Keeps the execution in memory, longer than its invocation does.
        let kept = engine.prefetch_callback(&id).await;
        let (end, operation) = (engine.wait_for_end(&arn), engine.wait_for_operation(&arn, "never"));
        let stop = async {
            tokio::task::yield_now().await;
            engine.shutdown(Duration::ZERO).await
        };
        let (end, operation, _) = tokio::join!(end, operation, stop);
        assert!(matches!(end, Err(EngineError::ShutDown)), "{end:?}");
        assert!(matches!(operation, Err(EngineError::ShutDown)), "{operation:?}");
        assert!(matches!(engine.wait_for_end(&arn).await, Err(EngineError::ShutDown)));
        drop(kept);
    }
}
