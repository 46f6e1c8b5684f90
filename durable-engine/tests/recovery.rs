//! Crashes, restarts, functions that are not registered, other functions' executions, and limits.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use durable_engine::{Engine, ExecutionStatus, MemoryStore, StartOptions};
use durable_runtime::{
    protocol::{ErrorObject, InvocationOutput, OperationAction, OperationStatus, OperationType},
    workflow::SharedWorkflow,
};
use support::*;
use tokio::sync::watch;

/// Five steps; hangs before step `gate`, as if the process were busy when it is killed.
fn five_steps(gate: watch::Receiver<usize>, bodies: Arc<AtomicUsize>) -> SharedWorkflow {
    workflow("five-steps", move |invocation| {
        let (mut gate, bodies) = (gate.clone(), Arc::clone(&bodies));
        async move {
            for number in 0..5 {
                let id = format!("s{number}");
                if invocation.operation(&id).is_none() {
                    gate.wait_for(|open| *open > number).await.unwrap();
                    bodies.fetch_add(1, Ordering::SeqCst);
                }
                invocation.step(&id, &number.to_string()).await?;
            }
            gate.wait_for(|open| *open > 5).await.unwrap();
            succeeded("\"done\"")
        }
    })
}

#[tokio::test]
async fn an_engine_killed_between_any_two_steps_repeats_nothing_that_was_acknowledged() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (gate, opened) = watch::channel(0);
        let bodies = Arc::new(AtomicUsize::new(0));
        for step in 0..5 {
            let workflow = five_steps(opened.clone(), Arc::clone(&bodies));
            let engine = backend.builder(&clock).workflow(workflow).open().unwrap();
            engine.start_raw("five-steps", StartOptions::named("x"), "1".into()).await.unwrap();
            gate.send_replace(step + 1);
            until("the step is recorded", || async {
                engine.operations("x").await.unwrap().len() == step + 2
            })
            .await;
            // Dropped with its invocation running: what a crash leaves behind.
            drop(engine);
        }
        let engine =
            backend.builder(&clock).workflow(five_steps(opened.clone(), Arc::clone(&bodies))).open().unwrap();
        gate.send_replace(6);
        let ended = engine.wait_for_end("x").await.unwrap();
        assert_eq!(ended.result.as_deref(), Some("\"done\""));
        assert_eq!(bodies.load(Ordering::SeqCst), 5);
        let types = event_types(&engine, "x").await;
        let count = |kind: &str| types.iter().filter(|found| *found == kind).count();
        assert_eq!((count("StepSucceeded"), count("InvocationCompleted")), (5, 6), "{types:?}");
        assert_eq!(engine.get("x").await.unwrap().status, ExecutionStatus::Succeeded);
    }
}

#[tokio::test]
async fn a_copy_of_the_files_of_a_running_engine_is_a_usable_database() {
    let [_, Backend::Sqlite(path, directory)] = Backend::both() else { panic!("the second one is SQLite") };
    let backend = Backend::Sqlite(path.clone(), Arc::clone(&directory));
    let clock = TestClock::new();
    let (gate, opened) = watch::channel(3);
    let bodies = Arc::new(AtomicUsize::new(0));
    let workflow = five_steps(opened.clone(), Arc::clone(&bodies));
    let engine = backend.builder(&clock).workflow(workflow).open().unwrap();
    engine.start_raw("five-steps", StartOptions::named("x"), "1".into()).await.unwrap();
    until("three steps are recorded", || async { engine.operations("x").await.unwrap().len() == 4 }).await;
    // What a power loss leaves: the database and its log as they are on disk now.
    let copy = directory.path().join("copy.db");
    for suffix in ["", "-wal"] {
        let source = format!("{}{suffix}", path.display());
        std::fs::copy(source, format!("{}{suffix}", copy.display())).unwrap();
    }
    gate.send_replace(6);
    let survivor = Backend::Sqlite(copy, directory);
    let workflow = five_steps(opened, Arc::new(AtomicUsize::new(0)));
    let survivor = survivor.builder(&clock).workflow(workflow).open().unwrap();
    assert_eq!(survivor.wait_for_end("x").await.unwrap().result.as_deref(), Some("\"done\""));
}

#[tokio::test]
async fn a_zombie_of_an_earlier_engine_is_fenced() {
    let store = MemoryStore::new();
    let clock = TestClock::new();
    let (sender, mut zombies) = tokio::sync::mpsc::unbounded_channel();
    let hang = workflow("hang", move |invocation| {
        let sender = sender.clone();
        async move {
            invocation.checkpoint(vec![update("s", OperationType::Step, OperationAction::Start)]).await.ok();
            sender.send(invocation).unwrap();
            std::future::pending().await
        }
    });
    let engine = Engine::builder().memory(&store).clock(clock.clone()).workflow(hang.clone()).open().unwrap();
    engine.start_raw("hang", StartOptions::named("h"), "1".into()).await.unwrap();
    let zombie = zombies.recv().await.unwrap();
    let second = Engine::builder().memory(&store).clock(clock).workflow(hang).open().unwrap();
    let successor = zombies.recv().await.unwrap();
    let events = event_types(&second, "h").await.len();
    let refused = zombie.checkpoint(vec![wait("w", 1)]).await.unwrap_err();
    assert_eq!(refused.code, "ServiceException", "the old engine has lost the store");
    // Its token is no good at the new engine either.
    successor
        .environment
        .service
        .checkpoint(durable_runtime::service::CheckpointRequest {
            durable_execution_arn: zombie.input.durable_execution_arn.clone(),
            checkpoint_token: zombie.token(),
            updates: vec![wait("w", 1)],
            client_token: None,
        })
        .await
        .unwrap_err();
    assert_eq!(event_types(&second, "h").await.len(), events);
    drop(engine);
}

#[tokio::test]
async fn looking_at_a_database_without_its_functions_changes_nothing() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let nap = || {
            workflow("nap", |invocation| async move {
                if invocation.waited("w", 60).await? { succeeded("1") } else { pending() }
            })
        };
        let hang = || workflow("hang", |_| std::future::pending());
        let engine = backend.builder(&clock).workflow(nap()).workflow(hang()).open().unwrap();
        engine.start_raw("nap", StartOptions::named("suspended"), "1".into()).await.unwrap();
        engine.start_raw("hang", StartOptions::named("running"), "1".into()).await.unwrap();
        until_suspended(&engine, "suspended").await;
        drop(engine);
        clock.advance(Duration::from_secs(3600));
        let viewer = backend.builder(&clock).open().unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(
            viewer.counters().writes,
            if matches!(backend, Backend::Sqlite(..)) { 0 } else { viewer.counters().writes }
        );
        assert_eq!(event_types(&viewer, "suspended").await.len(), 3);
        assert_eq!(event_types(&viewer, "running").await.len(), 1);
        assert!(viewer.get("running").await.unwrap().is_invoking);
        // Registration is what sets them going.
        viewer.register_workflow(nap());
        assert_eq!(viewer.wait_for_end("suspended").await.unwrap().status, ExecutionStatus::Succeeded);
        assert_eq!(event_types(&viewer, "running").await.len(), 1);
    }
}

#[tokio::test]
async fn at_most_so_many_invocations_run_and_the_rest_waits_in_the_store() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Arc::clone(&most);
        let busy = workflow("busy", move |invocation| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for number in 0..3 {
                    invocation.step(&format!("s{number}"), "1").await?;
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::SeqCst);
                succeeded("1")
            }
        });
        let engine = backend.builder(&clock).max_concurrent_invocations(2).workflow(busy).open().unwrap();
        for number in 0..20 {
            engine.start_raw("busy", StartOptions::named(format!("b{number}")), "1".into()).await.unwrap();
        }
        for number in 0..20 {
            engine.wait_for_end(&format!("b{number}")).await.unwrap();
        }
        assert_eq!(seen.load(Ordering::SeqCst), 2, "sqlite: {}", matches!(backend, Backend::Sqlite(..)));
    }
}

fn caller() -> SharedWorkflow {
    workflow("caller", |invocation| async move {
        if invocation.operation("i").is_none() {
            invocation.checkpoint(vec![invoke("i", "callee", "\"in\"")]).await.map_err(ended)?;
        }
        let operation = invocation.operation("i").unwrap();
        let details = operation.chained_invoke_details.unwrap_or_default();
        match operation.status {
            OperationStatus::Started => pending(),
            OperationStatus::Succeeded => succeeded(&details.result.unwrap()),
            _ => Ok(InvocationOutput::Failed { error: details.error }),
        }
    })
}

#[tokio::test]
async fn an_invoked_function_runs_as_an_execution_of_its_own_and_answers_across_restarts() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let callee = || {
            workflow("callee", |invocation| async move {
                if !invocation.waited("w", 60).await? {
                    return pending();
                }
                let root = &invocation.input.initial_execution_state.operations[0];
                succeeded(root.execution_details.as_ref().unwrap().input_payload.as_ref().unwrap())
            })
        };
        let engine = backend.builder(&clock).workflow(caller()).workflow(callee()).open().unwrap();
        engine.start_raw("caller", StartOptions::named("c"), "1".into()).await.unwrap();
        until_suspended(&engine, "c").await;
        let child = format!("{}-i", engine.get("c").await.unwrap().id);
        until_suspended(&engine, &child).await;
        drop(engine);
        // The child ends in a process that does not know the caller …
        clock.advance(Duration::from_secs(60));
        let engine = backend.builder(&clock).workflow(callee()).open().unwrap();
        engine.wait_for_end(&child).await.unwrap();
        until("the caller was told", || async { event_types(&engine, "c").await.len() == 4 }).await;
        assert_eq!(engine.get("c").await.unwrap().status, ExecutionStatus::Running);
        drop(engine);
        // … and the caller goes on in the next one.
        let engine = backend.builder(&clock).workflow(caller()).open().unwrap();
        assert_eq!(engine.wait_for_end("c").await.unwrap().result.as_deref(), Some("\"in\""));
        assert_eq!(
            event_types(&engine, "c").await,
            [
                "ExecutionStarted",
                "ChainedInvokeStarted",
                "InvocationCompleted",
                "ChainedInvokeSucceeded",
                "InvocationCompleted",
                "ExecutionSucceeded"
            ]
        );
    }
}

#[tokio::test]
async fn a_callers_function_learns_of_failure_and_stop() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let failing = workflow("callee", |invocation| async move {
            let name = invocation.input.durable_execution_arn.clone();
            if name.contains("-i/") && invocation.operation("w").is_none() {
                invocation.checkpoint(vec![wait("w", 60)]).await.map_err(ended)?;
                return pending();
            }
            Ok(InvocationOutput::Failed { error: Some(ErrorObject::new("OutOfStock", "none left")) })
        });
        let engine = backend.builder(&clock).workflow(caller()).workflow(failing).open().unwrap();
        for (name, stop) in [("fails", false), ("stopped", true)] {
            engine.start_raw("caller", StartOptions::named(name), "1".into()).await.unwrap();
            until_suspended(&engine, name).await;
            let child = format!("{}-i", engine.get(name).await.unwrap().id);
            until_suspended(&engine, &child).await;
            if stop {
                engine.stop(&child, Some(ErrorObject::new("Operator", "enough"))).await.unwrap();
            } else {
                clock.advance(Duration::from_secs(60));
            }
            let ended = engine.wait_for_end(name).await.unwrap();
            assert_eq!(ended.error.unwrap().message(), if stop { "enough" } else { "none left" });
        }
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_running_invocations_and_starts_no_others() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let (release, released) = watch::channel(false);
        let slow = move || {
            let released = released.clone();
            workflow("slow", move |invocation| {
                let mut released = released.clone();
                async move {
                    invocation.step("s", "1").await?;
                    released.wait_for(|released| *released).await.unwrap();
                    succeeded("1")
                }
            })
        };
        let engine = backend.builder(&clock).workflow(slow()).open().unwrap();
        engine.start_raw("slow", StartOptions::named("a"), "1".into()).await.unwrap();
        until("the step is recorded", || async { engine.operations("a").await.unwrap().len() == 2 }).await;
        let stopping = tokio::spawn({
            let engine = engine.clone();
            async move { engine.shutdown(Duration::from_secs(30)).await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Taken, durable, and left for the next engine.
        engine.start_raw("slow", StartOptions::named("late"), "1".into()).await.unwrap();
        release.send_replace(true);
        assert!(stopping.await.unwrap(), "everything ended in time");
        let closed = engine.start_raw("slow", StartOptions::default(), "1".into()).await.unwrap_err();
        assert!(matches!(closed, durable_engine::EngineError::ShutDown), "{closed}");
        // The database is free although handles are left.
        let next = backend.builder(&clock).workflow(slow()).open().unwrap();
        assert_eq!(next.get("a").await.unwrap().status, ExecutionStatus::Succeeded);
        assert_eq!(next.wait_for_end("late").await.unwrap().status, ExecutionStatus::Succeeded);
        assert!(next.shutdown(Duration::from_secs(5)).await);
    }
}

#[tokio::test]
async fn progress_is_told_after_the_commit_and_the_stream_ends_with_the_engine() {
    for backend in Backend::both() {
        let clock = TestClock::new();
        let one = workflow("one", |invocation| async move {
            let mut start = update("s", OperationType::Step, OperationAction::Start);
            start.name = Some("reserve".into());
            invocation.checkpoint(vec![start]).await.map_err(ended)?;
            invocation.step("s", "1").await?;
            succeeded("1")
        });
        let engine = backend.builder(&clock).workflow(one).open().unwrap();
        let mut progress = engine.subscribe();
        engine.start_raw("one", StartOptions::named("o"), "1".into()).await.unwrap();
        engine.wait_for_end("o").await.unwrap();
        engine.shutdown(Duration::from_secs(5)).await;
        let mut seen = Vec::new();
        while let Ok(event) = progress.recv().await {
            assert_eq!((&*event.function, &*event.name), ("one", "o"));
            seen.push((event.event_type.as_str(), event.operation_name.map(|name| name.to_string())));
        }
        assert_eq!(seen.len(), 5);
        assert_eq!(seen[1], ("StepStarted", Some("reserve".to_owned())));
    }
}

#[tokio::test(start_paused = true)]
async fn paused_time_advances_on_its_own_with_the_memory_store() {
    /// Tokio's time, as the test kit's clock has it.
    struct Virtual(tokio::time::Instant);
    impl durable_runtime::environment::Clock for Virtual {
        fn now(&self) -> durable_runtime::protocol::Timestamp {
            durable_runtime::protocol::Timestamp::from_millis(1).after(self.0.elapsed())
        }
        fn sleep_until(
            &self,
            deadline: durable_runtime::protocol::Timestamp,
        ) -> durable_runtime::service::BoxFuture<'static, ()> {
            Box::pin(tokio::time::sleep(deadline.since(self.now())))
        }
    }
    let begun = tokio::time::Instant::now();
    let nap = workflow("nap", |invocation| async move {
        if invocation.waited("w", 30 * 24 * 3600).await? { succeeded("1") } else { pending() }
    });
    let engine = Engine::builder().clock(Arc::new(Virtual(begun))).workflow(nap).open().unwrap();
    engine.start_raw("nap", StartOptions::named("n"), "1".into()).await.unwrap();
    engine.wait_for_end("n").await.unwrap();
    let elapsed = begun.elapsed().as_secs();
    assert!((30 * 24 * 3600..30 * 24 * 3600 + 2).contains(&elapsed), "{elapsed}");
}

#[tokio::test]
async fn both_stores_and_a_reopened_one_keep_the_same_history() {
    /// A step, a retried one, a callback that times out and a wait; `reopen` restarts in between.
    async fn history(backend: &Backend, reopen: bool) -> String {
        let clock = TestClock::new();
        let all = || {
            workflow("all", |invocation| async move {
                invocation.step("s", "\"one\"").await?;
                if invocation.operation("r").is_none() {
                    let callback = callback("c", Some(20), Some(30));
                    invocation.checkpoint(vec![retry("r", "busy", 10), callback]).await.map_err(ended)?;
                }
                if invocation.status("r") == Some(OperationStatus::Ready) {
                    let start = update("r", OperationType::Step, OperationAction::Start);
                    invocation.checkpoint(vec![start]).await.map_err(ended)?;
                    invocation.step("r", "\"two\"").await?;
                }
                let open = |id| !invocation.status(id).unwrap().is_terminal();
                if open("r") || open("c") || !invocation.waited("w", 60).await? {
                    return pending();
                }
                succeeded("\"done\"")
            })
        };
        let open = || backend.builder(&clock).workflow(all()).open().unwrap();
        let mut engine = open();
        engine.start_raw("all", StartOptions::named("x"), "1".into()).await.unwrap();
        for events in [6, 9, 12] {
            until("it is quiet", || async {
                let quiet = !engine.get("x").await.unwrap().is_invoking;
                quiet && event_types(&engine, "x").await.len() == events
            })
            .await;
            if reopen {
                drop(engine);
                engine = open();
            }
            clock.advance(Duration::from_secs(if events == 12 { 60 } else { 10 }));
        }
        engine.wait_for_end("x").await.unwrap();
        let history = engine.history("x", durable_engine::HistoryPage::all()).await.unwrap();
        let mut value = serde_json::to_value(history.events).unwrap();
        for event in value.as_array_mut().unwrap() {
            // What is random by design.
            for (details, member) in
                [("InvocationCompletedDetails", "RequestId"), ("CallbackStartedDetails", "CallbackId")]
            {
                event.get_mut(details).and_then(|details| details.as_object_mut()?.remove(member));
            }
            if event["EventType"].as_str().unwrap().starts_with("Execution") {
                event.as_object_mut().unwrap().remove("Id");
            }
        }
        serde_json::to_string_pretty(&value).unwrap()
    }
    let expected = history(&Backend::both()[0], false).await;
    for number in [0, 1] {
        for reopen in [false, true] {
            let backend = Backend::both()[number].clone();
            assert_eq!(history(&backend, reopen).await, expected, "store {number}, reopened: {reopen}");
        }
    }
}
