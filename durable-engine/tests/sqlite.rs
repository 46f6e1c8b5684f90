//! What only a database on disk has: locks, versions, failing commits, shared commits.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::{path::Path, sync::Arc, time::Duration};

use durable_engine::{Engine, EngineError, ExecutionStatus, OpenError, StartOptions};
use durable_runtime::protocol::{OperationAction, OperationType};
use support::*;

fn database() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine.db");
    (directory, path)
}

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn a_database_has_one_engine_at_a_time() {
    let (_directory, path) = database();
    let first = Engine::open(&path).unwrap();
    let refused = Engine::open(&path).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse { holder: Some(pid), .. } if *pid == std::process::id()));
    let message = refused.to_string();
    assert!(message.contains(&format!("is in use by process {}", std::process::id())), "{message}");
    assert!(message.contains("stop that process"), "{message}");
    drop(first);
    Engine::open(&path).unwrap();
}

#[tokio::test]
async fn foreign_files_are_left_as_they_are() {
    for foreign in ["text", "sqlite"] {
        let (directory, path) = database();
        if foreign == "text" {
            std::fs::write(&path, "dear diary").unwrap();
        } else {
            let other = rusqlite::Connection::open(&path).unwrap();
            other.execute_batch("CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine')").unwrap();
        }
        let before = files(directory.path());
        let refused = Engine::open(&path).unwrap_err();
        assert!(matches!(refused, OpenError::Foreign { .. }), "{refused}");
        assert!(refused.to_string().contains("is not a durable execution database"), "{refused}");
        assert_eq!(files(directory.path()), before);
    }
}

#[tokio::test]
async fn a_newer_database_is_left_as_it_is() {
    let (directory, path) = database();
    drop(Engine::open(&path).unwrap());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.close().unwrap();
    let before = files(directory.path());
    let refused = Engine::open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::Newer { found: 99, .. }), "{refused}");
    assert_eq!(files(directory.path()), before);
}

#[tokio::test]
async fn a_database_of_the_first_version_is_brought_up_to_date_and_its_executions_keep_their_arns() {
    let (_directory, path) = database();
    let first = rusqlite::Connection::open(&path).unwrap();
    first.execute_batch(include_str!("../src/store/sqlite/schema_v1.sql")).unwrap();
    first.pragma_update(None, "application_id", 0x4475_7261).unwrap();
    first.pragma_update(None, "user_version", 1).unwrap();
    first
        .execute_batch(
            "INSERT INTO executions (key, id, function, name, status, started_at, timeout_seconds, failures, \
             parent_owed) VALUES (1, '1-0000000000000007', 'f', 'n', 'SUCCEEDED', 1, 60, 0, 0)",
        )
        .unwrap();
    first.close().unwrap();
    let engine = Engine::builder().sqlite(&path).region("eu-west-1").open().unwrap();
    let arn = "arn:aws:lambda:local:000000000000:function:f:$LATEST/durable-execution/n/1-0000000000000007";
    assert_eq!(engine.get(arn).await.unwrap().arn, arn);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_database_is_its_owners_and_one_that_exists_keeps_its_mode() {
    use std::{fs, os::unix::fs::PermissionsExt as _};
    let (directory, path) = database();
    let modes = || {
        let files = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().metadata().unwrap());
        files.map(|file| file.permissions().mode() & 0o777).collect::<Vec<_>>()
    };
    let engine = Engine::open(&path).unwrap();
    assert_eq!(modes(), [0o600; 4], "the database, its log, the log's index, the lock");
    drop(engine);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let _engine = Engine::open(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let (_directory, path) = database();
    std::fs::write(&path, "").unwrap();
    drop(Engine::open(&path).unwrap());
    let database = rusqlite::Connection::open(&path).unwrap();
    let mode: String = database.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_execution_alone_is_as_durable_as_many() {
    let (_directory, path) = database();
    let steps = || {
        workflow("steps", |invocation| async move {
            for number in 0..20 {
                invocation.step(&format!("s{number}"), "1").await?;
            }
            succeeded("1")
        })
    };
    let engine = Engine::builder().sqlite(&path).workflow(steps()).open().unwrap();
    let mut arns = Vec::new();
    for _ in 0..5 {
        // Whoever stops waiting for the start does not stop the execution.
        let given_up = engine.start_raw("steps", StartOptions::default(), "1".into());
        let _ = tokio::time::timeout(Duration::ZERO, given_up).await;
        let started = engine.start_raw("steps", StartOptions::default(), "1".into()).await.unwrap();
        assert_eq!(engine.wait_for_end(&started.arn).await.unwrap().status, ExecutionStatus::Succeeded);
        arns.push(started.arn);
    }
    let counters = engine.counters();
    assert!(counters.commits >= 5 * 20, "each step is synced: {counters:?}");
    drop(engine);
    let engine = Engine::builder().sqlite(&path).workflow(steps()).open().unwrap();
    for arn in arns {
        assert_eq!(engine.get(&arn).await.unwrap().status, ExecutionStatus::Succeeded);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_executions_share_commits() {
    const EXECUTIONS: usize = 256;
    const STEPS: usize = 20;
    let (_directory, path) = database();
    let steps = workflow("steps", |invocation| async move {
        for number in 0..STEPS {
            invocation.step(&format!("s{number}"), "1").await?;
        }
        succeeded("1")
    });
    let engine = Engine::builder().sqlite(&path).workflow(steps).open().unwrap();
    let runs: Vec<_> = (0..EXECUTIONS)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                let started = engine.start_raw("steps", StartOptions::default(), "1".into()).await.unwrap();
                engine.wait_for_end(&started.arn).await.unwrap()
            })
        })
        .collect();
    for run in runs {
        assert_eq!(run.await.unwrap().status, ExecutionStatus::Succeeded);
    }
    let counters = engine.counters();
    // One write for the start with the invocation's beginning, one for each step, one for both ends.
    assert_eq!(counters.writes, (EXECUTIONS * (STEPS + 2)) as u64);
    assert!(counters.commits * 40 <= (EXECUTIONS * STEPS) as u64, "{counters:?}");
}

#[tokio::test]
async fn a_large_result_is_stored_once() {
    let (_directory, path) = database();
    let large = workflow("large", |invocation| async move {
        let result = format!("\"{}\"", "x".repeat(1_000_000));
        invocation.step("s", &result).await?;
        succeeded("1")
    });
    let engine = Engine::builder().sqlite(&path).workflow(large).open().unwrap();
    engine.start_raw("large", StartOptions::named("l"), "1".into()).await.unwrap();
    engine.wait_for_end("l").await.unwrap();
    let history = engine.history("l", durable_engine::HistoryPage::all()).await.unwrap();
    assert!(serde_json::to_string(&history.events[2]).unwrap().len() > 1_000_000, "read back whole");
    drop(engine);
    assert!(std::fs::metadata(&path).unwrap().len() < 1_300_000);
}

#[tokio::test]
async fn a_failed_commit_is_told_to_its_waiters_and_the_execution_goes_on_from_the_disk() {
    fail_a_commit().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn also_where_the_waiter_commits() {
    fail_a_commit().await;
}

async fn fail_a_commit() {
    let (_directory, path) = database();
    let (outcomes, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let steps = workflow("steps", move |invocation| {
        let outcomes = outcomes.clone();
        async move {
            let mut start = update("s", OperationType::Step, OperationAction::Start);
            start.name = Some("poisoned".into());
            let outcome = match invocation.operation("s") {
                None => invocation.checkpoint(vec![start]).await.map(drop),
                Some(_) => Ok(()),
            };
            outcomes.send(outcome.clone()).unwrap();
            outcome.map_err(ended)?;
            invocation.step("s", "1").await?;
            succeeded("1")
        }
    });
    let engine = Engine::builder().sqlite(&path).workflow(steps).open().unwrap();
    let saboteur = rusqlite::Connection::open(&path).unwrap();
    saboteur.busy_timeout(Duration::from_secs(5)).unwrap();
    saboteur
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON operations WHEN new.data LIKE '%poisoned%' \
             BEGIN SELECT raise(ABORT, 'the disk is full'); END",
        )
        .unwrap();
    engine.start_raw("steps", StartOptions::named("x"), "1".into()).await.unwrap();
    let failed = seen.recv().await.unwrap().unwrap_err();
    assert_eq!((failed.code.as_str(), failed.message.as_str()), ("ServiceException", "the disk is full"));
    until("the failure is recorded", || async { event_types(&engine, "x").await.len() >= 2 }).await;
    assert_eq!(engine.operations("x").await.unwrap().len(), 1, "memory is not ahead of the disk");
    saboteur.execute_batch("DROP TRIGGER broken").unwrap();
    let ended = engine.wait_for_end("x").await.unwrap();
    assert_eq!(ended.status, ExecutionStatus::Succeeded);
    event_types(&engine, "x").await;
}

#[tokio::test]
async fn a_start_whose_commit_fails_is_an_error_and_leaves_nothing() {
    let (_directory, path) = database();
    let never = workflow("never", |_| async { panic!("must not run") });
    let engine = Engine::builder().sqlite(&path).workflow(never).open().unwrap();
    let saboteur = rusqlite::Connection::open(&path).unwrap();
    saboteur
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON events BEGIN SELECT raise(ABORT, 'the disk is full'); END",
        )
        .unwrap();
    let error = engine.start_raw("never", StartOptions::named("x"), "1".into()).await.unwrap_err();
    assert!(matches!(&error, EngineError::Store { message } if message == "the disk is full"), "{error}");
    assert!(matches!(engine.get("x").await, Err(EngineError::NotFound { .. })));
    assert_eq!(engine.executions_in_memory(), 0);
    assert_eq!(engine.counters(), durable_engine::Counters::default());
    drop(saboteur);
}

#[tokio::test]
async fn an_engine_that_is_dropped_inside_a_transaction_releases_the_database() {
    let (_directory, path) = database();
    for _ in 0..20 {
        let nap = workflow("nap", |invocation| async move {
            for number in 0..100 {
                invocation.step(&format!("s{number}"), "1").await?;
            }
            succeeded("1")
        });
        let engine = Engine::builder().sqlite(&path).workflow(nap).open().unwrap();
        let start = engine.start_raw("nap", StartOptions::default(), "1".into());
        // Given up half-way; the start may or may not be durable.
        let _ = tokio::time::timeout(Duration::from_micros(300), start).await;
        drop(engine);
    }
    let _ = Arc::new(Engine::open(&path).unwrap());
}

#[tokio::test]
async fn a_damaged_execution_does_not_hold_up_the_others() {
    let (_directory, path) = database();
    let clock = TestClock::new();
    let nap = workflow("nap", |invocation| async move {
        if invocation.waited("w", 60).await? { succeeded("1") } else { pending() }
    });
    let engine = Engine::builder().sqlite(&path).clock(clock.clone()).workflow(nap).open().unwrap();
    for name in ["damaged", "sound"] {
        engine.start_raw("nap", StartOptions::named(name), "1".into()).await.unwrap();
        until_suspended(&engine, name).await;
    }
    let vandal = rusqlite::Connection::open(&path).unwrap();
    vandal.busy_timeout(Duration::from_secs(5)).unwrap();
    vandal.execute("UPDATE operations SET data = 'oops' WHERE execution = 1 AND position = 1", []).unwrap();
    clock.advance(Duration::from_secs(60));
    assert_eq!(engine.wait_for_end("sound").await.unwrap().status, ExecutionStatus::Succeeded);
    assert_eq!(engine.get("damaged").await.unwrap().status, ExecutionStatus::Running, "untouched");
}
