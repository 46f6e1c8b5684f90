//! Callbacks: completion, failure, heartbeats, time limits and what late or repeated senders are told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use durable_engine::{CallbackError, CallbackOutcome, Engine, ExecutionStatus, StartOptions};
use durable_runtime::{
    protocol::{ErrorObject, OperationStatus},
    workflow::SharedWorkflow,
};
use support::*;

/// Waits for one callback; its result is the execution's.
fn waits_for_callback(timeout: Option<u64>, heartbeat: Option<u64>) -> SharedWorkflow {
    workflow("approval", move |invocation| async move {
        if invocation.operation("c").is_none() {
            invocation.checkpoint(vec![callback("c", timeout, heartbeat)]).await.map_err(ended)?;
        }
        let operation = invocation.operation("c").unwrap();
        let details = operation.callback_details.unwrap();
        match operation.status {
            OperationStatus::Started => pending(),
            OperationStatus::Succeeded => succeeded(details.result.as_deref().unwrap_or("absent")),
            _ => Ok(durable_runtime::protocol::InvocationOutput::Failed { error: details.error }),
        }
    })
}

async fn started(
    backend: &Backend,
    clock: &std::sync::Arc<TestClock>,
    workflow: SharedWorkflow,
) -> (Engine, String) {
    let engine = backend.builder(clock).workflow(workflow).open().unwrap();
    engine.start_raw("approval", StartOptions::named("a"), "1".into()).await.unwrap();
    until_suspended(&engine, "a").await;
    let operations = engine.operations("a").await.unwrap();
    let id = operations[1].callback_details.as_ref().unwrap().callback_id.clone().unwrap();
    (engine, id)
}

/// The answer PENDING is right when what it waited for was completed meanwhile: the next invocation sees it.
#[tokio::test]
async fn a_callback_that_comes_while_the_function_runs_leads_to_the_next_invocation() {
    for backend in Backend::both() {
        let sent = std::sync::Arc::new(tokio::sync::Notify::new());
        let slow = workflow("approval", {
            let sent = std::sync::Arc::clone(&sent);
            move |invocation| {
                let sent = std::sync::Arc::clone(&sent);
                async move {
                    if invocation.operation("c").is_none() {
                        invocation.checkpoint(vec![callback("c", None, None)]).await.map_err(ended)?;
                        sent.notified().await;
                        return pending();
                    }
                    match invocation.status("c").unwrap() {
                        OperationStatus::Succeeded => succeeded("seen"),
                        _ => pending(),
                    }
                }
            }
        });
        let engine = backend.builder(&TestClock::new()).workflow(slow).open().unwrap();
        engine.start_raw("approval", StartOptions::named("a"), "1".into()).await.unwrap();
        let id = loop {
            let operations = engine.operations("a").await.unwrap();
            if let Some(id) =
                operations.get(1).and_then(|it| it.callback_details.as_ref()?.callback_id.clone())
            {
                break id;
            }
            tokio::task::yield_now().await;
        };
        engine.succeed_callback(&id, Some("1".into())).await.unwrap();
        sent.notify_one();
        assert_eq!(engine.wait_for_end("a").await.unwrap().result.as_deref(), Some("seen"));
        assert_eq!(
            event_types(&engine, "a").await,
            [
                "ExecutionStarted",
                "CallbackStarted",
                "CallbackSucceeded",
                "InvocationCompleted",
                "InvocationCompleted",
                "ExecutionSucceeded",
            ]
        );
    }
}

#[tokio::test]
async fn a_result_is_kept_byte_for_byte_and_a_second_one_is_told_the_first() {
    for backend in Backend::both() {
        let (engine, id) = started(&backend, &TestClock::new(), waits_for_callback(None, None)).await;
        let sent = r#"{"status": "approved"}"#;
        engine.succeed_callback(&id, Some(sent.into())).await.unwrap();
        let ended = engine.wait_for_end("a").await.unwrap();
        assert_eq!(ended.result.as_deref(), Some(sent));
        match engine.succeed_callback(&id, Some("other".into())).await.unwrap_err() {
            CallbackError::Closed { outcome, .. } => {
                assert_eq!(outcome, CallbackOutcome::Succeeded(Some(sent.into())));
            }
            other => panic!("{other}"),
        }
        assert_eq!(
            event_types(&engine, "a").await,
            [
                "ExecutionStarted",
                "CallbackStarted",
                "InvocationCompleted",
                "CallbackSucceeded",
                "InvocationCompleted",
                "ExecutionSucceeded"
            ]
        );
    }
}

#[tokio::test]
async fn an_empty_result_is_absent_and_a_failure_may_say_nothing() {
    for backend in Backend::both() {
        let (engine, id) = started(&backend, &TestClock::new(), waits_for_callback(None, None)).await;
        engine.succeed_callback(&id, None).await.unwrap();
        assert_eq!(engine.wait_for_end("a").await.unwrap().result.as_deref(), Some("absent"));
    }
    for backend in Backend::both() {
        let (engine, id) = started(&backend, &TestClock::new(), waits_for_callback(None, None)).await;
        engine.fail_callback(&id, None).await.unwrap();
        let ended = engine.wait_for_end("a").await.unwrap();
        assert_eq!((ended.status, ended.error), (ExecutionStatus::Failed, None));
        match engine.fail_callback(&id, Some(ErrorObject::new("E", "late"))).await.unwrap_err() {
            CallbackError::Closed { outcome: CallbackOutcome::Failed(None), .. } => {}
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_callback_times_out_and_late_senders_are_told() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (engine, id) = started(&backend, &clock, waits_for_callback(Some(10), None)).await;
        clock.advance(Duration::from_secs(9));
        // Accepted silently, and no help: there is no heartbeat limit.
        engine.heartbeat_callback(&id).await.unwrap();
        clock.advance(Duration::from_secs(1));
        // The sender is late even if the timer was not served yet.
        let late = engine.succeed_callback(&id, Some("1".into())).await.unwrap_err();
        assert!(
            matches!(&late, CallbackError::TimedOut { error, .. } if error.kind() == Some("Callback.Timeout")),
            "{late}"
        );
        let ended = engine.wait_for_end("a").await.unwrap();
        let error = ended.error.unwrap();
        assert_eq!((error.kind(), error.message()), (Some("Callback.Timeout"), "Callback timed out"));
        assert!(event_types(&engine, "a").await.contains(&"CallbackTimedOut".to_owned()));
    }
}

#[tokio::test]
async fn heartbeats_keep_a_callback_alive_until_its_overall_limit() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (engine, id) = started(&backend, &clock, waits_for_callback(Some(25), Some(10))).await;
        for _ in 0..2 {
            clock.advance(Duration::from_secs(9));
            engine.heartbeat_callback(&id).await.unwrap();
        }
        assert_eq!(engine.get("a").await.unwrap().status, ExecutionStatus::Running);
        clock.advance(Duration::from_secs(7));
        let error = engine.wait_for_end("a").await.unwrap().error.unwrap();
        assert_eq!(error.kind(), Some("Callback.Timeout"));
    }
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (engine, _) = started(&backend, &clock, waits_for_callback(Some(25), Some(10))).await;
        clock.advance(Duration::from_secs(10));
        let error = engine.wait_for_end("a").await.unwrap().error.unwrap();
        assert_eq!(
            (error.kind(), error.message()),
            (Some("Callback.Heartbeat"), "Callback timed out on heartbeat")
        );
    }
}

#[tokio::test]
async fn a_heartbeat_limit_survives_a_restart() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (engine, id) = started(&backend, &clock, waits_for_callback(None, Some(10))).await;
        clock.advance(Duration::from_secs(9));
        engine.heartbeat_callback(&id).await.unwrap();
        drop(engine);
        let engine = backend.builder(&clock).workflow(waits_for_callback(None, Some(10))).open().unwrap();
        clock.advance(Duration::from_secs(9));
        engine.heartbeat_callback(&id).await.unwrap();
        clock.advance(Duration::from_secs(10));
        let error = engine.wait_for_end("a").await.unwrap().error.unwrap();
        assert_eq!(error.kind(), Some("Callback.Heartbeat"));
    }
}

#[tokio::test]
async fn time_limits_fire_while_the_invocation_runs() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let busy = workflow("busy", |invocation| async move {
            if invocation.operation("c").is_none() {
                invocation.checkpoint(vec![callback("c", Some(5), None)]).await.map_err(ended)?;
                std::future::pending::<()>().await;
            }
            succeeded("1")
        });
        let engine = backend.builder(&clock).workflow(busy).open().unwrap();
        engine.start_raw("busy", StartOptions::named("b"), "1".into()).await.unwrap();
        until("the callback is there", || async { event_types(&engine, "b").await.len() == 2 }).await;
        clock.advance(Duration::from_secs(5));
        until("it timed out", || async { event_types(&engine, "b").await.len() == 3 }).await;
        assert_eq!(event_types(&engine, "b").await[2], "CallbackTimedOut");
    }
}

#[tokio::test]
async fn unknown_ids_ended_executions_and_large_results_are_refused() {
    for backend in Backend::both() {
        let (engine, id) = started(&backend, &TestClock::new(), waits_for_callback(None, None)).await;
        let other_nonce = format!("{}{}", &id[..24], "0".repeat(16));
        for unknown in
            ["", "nonsense", &other_nonce, &format!("{}{}", "0".repeat(15), &id[15..].replace('1', "2"))]
        {
            let refused = engine.succeed_callback(unknown, None).await.unwrap_err();
            assert!(matches!(refused, CallbackError::Unknown { .. }), "{unknown}: {refused}");
        }
        let large = engine.succeed_callback(&id, Some("x".repeat(256 * 1024 + 1).into())).await.unwrap_err();
        assert!(matches!(large, CallbackError::TooLarge { bytes: 262_145, .. }), "{large}");
        engine.stop("a", None).await.unwrap();
        let late = engine.succeed_callback(&id, None).await.unwrap_err();
        assert!(
            matches!(late, CallbackError::ExecutionEnded { status: ExecutionStatus::Stopped, .. }),
            "{late}"
        );
    }
}

#[tokio::test]
async fn a_completion_invokes_even_when_the_workflow_waits_for_something_else() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let both = workflow("approval", |invocation| async move {
            if invocation.operation("c").is_none() {
                invocation.checkpoint(vec![callback("c", None, None), wait("w", 60)]).await.map_err(ended)?;
            }
            if invocation.waited("w", 60).await? { succeeded("1") } else { pending() }
        });
        let (engine, id) = started(&backend, &clock, both).await;
        engine.succeed_callback(&id, None).await.unwrap();
        until("the extra invocation ended", || async { event_types(&engine, "a").await.len() == 6 }).await;
        clock.advance(Duration::from_secs(60));
        engine.wait_for_end("a").await.unwrap();
        assert_eq!(
            event_types(&engine, "a").await[3..],
            [
                "InvocationCompleted",
                "CallbackSucceeded",
                "InvocationCompleted",
                "WaitSucceeded",
                "InvocationCompleted",
                "ExecutionSucceeded"
            ]
        );
    }
}
