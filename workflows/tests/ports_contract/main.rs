//! The contract of the ports, kept by the adapters of one machine.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod suite;

use std::sync::Arc;

use durable_engine::Engine;
use workflows::local::{
    ArtifactDirectory, Database, DeadLetterDirectory, EngineExecutions, SigningKey, SqliteCallbacks,
    SqliteEvents, SqliteRecords,
};

async fn world() -> suite::World {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("records.db")).unwrap();
    let artifacts = ArtifactDirectory::open(
        directory.path().join("artifacts"),
        SigningKey::new(*b"test"),
        "http://127.0.0.1:1".to_owned(),
    );
    suite::World {
        records: Arc::new(SqliteRecords::new(database.clone())),
        callbacks: Arc::new(SqliteCallbacks::new(database.clone())),
        dead_letters: Arc::new(DeadLetterDirectory::new(directory.path().join("dead-letters"))),
        artifacts: Arc::new(artifacts.unwrap()),
        events: Arc::new(SqliteEvents::new(database)),
        _keep: Box::new(directory),
    }
}

async fn service() -> suite::executions::World {
    let directory = tempfile::tempdir().unwrap();
    let database = Database::open(&directory.path().join("records.db")).unwrap();
    let engine = Engine::open(directory.path().join("executions.db")).unwrap();
    let (workflow, created) = suite::executions::workflow();
    engine.register_workflows([workflow]);
    suite::executions::World {
        executions: Arc::new(EngineExecutions::new(engine.clone())),
        callbacks: Arc::new(SqliteCallbacks::new(database)),
        created: created.into(),
        _keep: Box::new((engine, directory)),
    }
}

stores_contract!(crate::world);
executions_contract!(crate::service);
