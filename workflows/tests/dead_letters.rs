//! What happens to callbacks that can't be stored or delivered, and how they are delivered after all.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use durable_engine::Engine;
use durable_runtime::protocol::ErrorObject;
use serde_json::json;
use workflows::{
    callback::{Authentication, Headers, Redriven, callback_handler},
    host::{CallbackIntake, Service},
    local::{
        A2aAgents, ArtifactDirectory, Database, DeadLetterDirectory, Endpoints, EngineExecutions,
        LogAndWebhook, LoggedMetrics, SigningKey, SqliteCallbacks, SqliteEvents, SqliteRecords,
    },
    ports::{BoxFuture, DeliveryFailure, Executions, Ports, Settings, StoreError, WorkflowId},
    research::Job,
};

/// A durable execution service that can be down.
#[derive(Default)]
struct Moody {
    is_up: AtomicBool,
    taken: AtomicUsize,
}

impl Moody {
    fn answer(&self) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            if !self.is_up.load(Ordering::SeqCst) {
                return Err(DeliveryFailure::Unavailable("down, at /secret/path".into()));
            }
            self.taken.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    }
}

impl Executions for Moody {
    fn start(&self, _: Job) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
    fn stop(&self, _: WorkflowId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
    fn ended(&self, _: WorkflowId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
    fn succeed(&self, _: String, _: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        self.answer()
    }
    fn fail(&self, _: String, _: ErrorObject) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        self.answer()
    }
    fn heartbeat(&self, _: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        self.answer()
    }
}

fn parts(directory: &Path, executions: Arc<Moody>) -> (Service, CallbackIntake, Engine) {
    let database = Database::open(&directory.join("records.db")).unwrap();
    let key = SigningKey::new(*b"test");
    let artifacts = ArtifactDirectory::open(directory.join("artifacts"), key, "http://127.0.0.1:9".into());
    let artifacts = Arc::new(artifacts.unwrap());
    let nowhere = || "http://127.0.0.1:9/".to_owned();
    let ports = Ports {
        records: Arc::new(SqliteRecords::new(database.clone())),
        callbacks: Arc::new(SqliteCallbacks::new(database.clone())),
        dead_letter_queue: Some(Arc::new(DeadLetterDirectory::new(directory.join("dead-letters")))),
        artifacts: artifacts.clone(),
        agents: Arc::new(A2aAgents::new(Endpoints {
            researcher: nowhere(),
            analyst: nowhere(),
            writer: nowhere(),
        })),
        notify: Arc::new(LogAndWebhook::new(None)),
        events: Arc::new(SqliteEvents::new(database)),
        executions,
        webhooks: None,
        metrics: Arc::new(LoggedMetrics),
        settings: Settings {
            approval_timeout: Duration::from_secs(1),
            callback_url: nowhere(),
            heartbeat_timeout: None,
        },
    };
    let engine = Engine::builder().open().unwrap();
    let handler_ports = ports.clone();
    engine.register_workflow(durable_runtime::workflow(move |request| {
        callback_handler(handler_ports.clone(), request)
    }));
    let executions = EngineExecutions::new(engine.clone());
    let intake = CallbackIntake::new(ports.clone(), executions.clone(), Authentication::default());
    (Service::new(ports, Arc::new(executions)), intake, engine)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_delivered_is_kept_and_delivered_later() {
    let directory = tempfile::tempdir().unwrap();
    let executions = Arc::new(Moody::default());
    let (service, intake, engine) = parts(directory.path(), executions.clone());
    let body = json!({ "token": "t", "status": "SUCCESS", "result": 1 }).to_string();

    let answer = intake.receive(Headers::default(), body.as_bytes()).await;
    assert_eq!((answer.status, answer.body), (500, json!({ "error": "Failed to deliver callback" })));
    let letters = service.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(service.redrive().await.unwrap(), Redriven { delivered: 0, remaining: 1 });

    executions.is_up.store(true, Ordering::SeqCst);
    assert_eq!(service.redrive().await.unwrap(), Redriven { delivered: 1, remaining: 0 });
    assert_eq!(service.redrive().await.unwrap(), Redriven::default());
    assert!(service.dead_letters().await.unwrap().is_empty());
    assert_eq!(executions.taken.load(Ordering::SeqCst), 1);

    // The sender tries again, as it was told 500: nothing is delivered twice.
    let answer = intake.receive(Headers::default(), body.as_bytes()).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("already_delivered")));
    assert_eq!(executions.taken.load(Ordering::SeqCst), 1);
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_stored_is_kept_and_delivered_once_there_is_a_store() {
    let directory = tempfile::tempdir().unwrap();
    let executions = Arc::new(Moody::default());
    executions.is_up.store(true, Ordering::SeqCst);
    let (service, intake, engine) = parts(directory.path(), executions.clone());
    let database = rusqlite::Connection::open(directory.path().join("records.db")).unwrap();
    database.execute_batch("ALTER TABLE callback_results RENAME TO away").unwrap();

    let body = json!({ "token": "t", "status": "SUCCESS", "result": 1 }).to_string();
    let answer = intake.receive(Headers::default(), body.as_bytes()).await;
    assert_eq!((answer.status, answer.body), (500, json!({ "error": "Failed to store callback result" })));
    assert_eq!(executions.taken.load(Ordering::SeqCst), 0, "nothing is delivered that is not stored");
    let letters = service.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].reason, "Failed to store callback result");
    assert!(service.redrive().await.is_err(), "there is still no store");
    assert_eq!(service.dead_letters().await.unwrap(), letters, "and nothing is lost");

    database.execute_batch("ALTER TABLE away RENAME TO callback_results").unwrap();
    executions.is_up.store(false, Ordering::SeqCst);
    assert_eq!(service.redrive().await.unwrap(), Redriven { delivered: 0, remaining: 1 });
    executions.is_up.store(true, Ordering::SeqCst);
    assert_eq!(service.redrive().await.unwrap(), Redriven { delivered: 1, remaining: 0 });
    assert_eq!(service.redrive().await.unwrap(), Redriven::default());
    assert!(service.dead_letters().await.unwrap().is_empty());

    // The sender tries again, as it was told 500: nothing is delivered twice.
    let answer = intake.receive(Headers::default(), body.as_bytes()).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("already_delivered")));
    assert_eq!(executions.taken.load(Ordering::SeqCst), 1);
    let history = "SELECT answer FROM callback_history ORDER BY seq";
    let history: Vec<String> = database
        .prepare(history)
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(history, ["callback_delivered", "already_delivered"]);
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_in_the_meantime_stands_against_what_was_kept() {
    let directory = tempfile::tempdir().unwrap();
    let executions = Arc::new(Moody::default());
    executions.is_up.store(true, Ordering::SeqCst);
    let (service, intake, engine) = parts(directory.path(), executions.clone());
    let database = rusqlite::Connection::open(directory.path().join("records.db")).unwrap();
    let send = async |result: i64| {
        let body = json!({ "token": "t", "status": "SUCCESS", "result": result }).to_string();
        intake.receive(Headers::default(), body.as_bytes()).await.status
    };
    database.execute_batch("ALTER TABLE callback_results RENAME TO away").unwrap();
    assert_eq!(tokio::join!(send(1), send(2)), (500, 500));
    database.execute_batch("ALTER TABLE away RENAME TO callback_results").unwrap();
    assert_eq!(send(2).await, 200);

    // One of the two that are kept says the same as what was delivered since, the other one contradicts it.
    assert_eq!(service.dead_letters().await.unwrap().len(), 2);
    assert_eq!(service.redrive().await.unwrap(), Redriven { delivered: 1, remaining: 0 });
    assert!(service.dead_letters().await.unwrap().is_empty());
    assert_eq!(executions.taken.load(Ordering::SeqCst), 1, "one outcome was delivered, once");
    assert_eq!((send(1).await, send(2).await), (409, 200));
    engine.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_result_is_kept_whole_when_there_is_nowhere_to_put_it() {
    let directory = tempfile::tempdir().unwrap();
    let executions = Arc::new(Moody::default());
    executions.is_up.store(true, Ordering::SeqCst);
    let (service, intake, engine) = parts(directory.path(), executions.clone());
    let artifacts = directory.path().join("artifacts");
    std::fs::remove_dir(&artifacts).unwrap();
    // A file where a directory should be.
    std::fs::write(&artifacts, b"").unwrap();
    let body = json!({ "token": "t", "status": "SUCCESS", "result": "x".repeat(300 * 1024) }).to_string();
    let answer = intake.receive(Headers::default(), body.as_bytes()).await;
    assert_eq!((answer.status, answer.body), (500, json!({ "error": "Failed to store callback result" })));
    std::fs::remove_file(&artifacts).unwrap();

    assert_eq!(service.redrive().await.unwrap(), Redriven { delivered: 1, remaining: 0 });
    let answer = intake.receive(Headers::default(), body.as_bytes()).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!("already_delivered")));
    assert_eq!(executions.taken.load(Ordering::SeqCst), 1);
    engine.shutdown(Duration::from_secs(5)).await;
}
