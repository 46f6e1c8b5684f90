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
        A2aAgents, ArtifactDirectory, Database, Endpoints, EngineExecutions, LogAndWebhook, LoggedMetrics,
        SigningKey, SqliteCallbacks, SqliteEvents, SqliteRecords,
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
async fn what_can_not_be_stored_is_answered_with_an_error_that_leaks_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let executions = Arc::new(Moody::default());
    executions.is_up.store(true, Ordering::SeqCst);
    let (_, intake, engine) = parts(directory.path(), executions.clone());
    let database = rusqlite::Connection::open(directory.path().join("records.db")).unwrap();
    database.execute_batch("DROP TABLE callback_results").unwrap();

    let body = json!({ "token": "t", "status": "SUCCESS", "result": 1 }).to_string();
    let answer = intake.receive(Headers::default(), body.as_bytes()).await;
    assert_eq!((answer.status, answer.body), (500, json!({ "error": "Failed to store callback result" })));
    assert_eq!(executions.taken.load(Ordering::SeqCst), 0, "nothing is delivered that is not stored");
    engine.shutdown(Duration::from_secs(5)).await;
}
