//! What is written in one transaction.

use rusqlite::Connection;

use super::encode::EncodedChanges;
use crate::{
    service::ExecutionKey,
    store::{StoreError, Write},
};

/// A write, as rows.
pub(super) struct Request {
    pub(super) rows: Vec<EncodedChanges>,
    pub(super) write: Write,
}

/// Removes executions with everything that belongs to them.
pub(super) fn remove(connection: &Connection, keys: &[ExecutionKey]) -> Result<(), StoreError> {
    execute(connection, "BEGIN IMMEDIATE")?;
    for key in keys {
        for sql in [
            "DELETE FROM events WHERE execution = ?1",
            "DELETE FROM operations WHERE execution = ?1",
            "DELETE FROM executions WHERE key = ?1",
        ] {
            let run = || connection.prepare_cached(sql)?.execute([key.get()]);
            run().map_err(StoreError::database)?;
        }
    }
    let last = keys.iter().map(|key| key.get()).max().unwrap_or(0);
    let remember =
        || connection.prepare_cached("UPDATE removed SET last_key = max(last_key, ?1)")?.execute([last]);
    remember().map_err(StoreError::database)?;
    execute(connection, "COMMIT")
}

/// Ends the transaction of a commit that failed.
pub(super) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() && connection.execute_batch("ROLLBACK").is_err() {
        tracing::error!("the failed transaction could not be rolled back");
    }
}

/// Runs the group in one transaction. `verdicts` gets one entry for each request; the transaction's own
/// failure is the function's error.
pub(super) fn commit(
    connection: &Connection,
    group: &[Request],
    verdicts: &mut Vec<Result<(), StoreError>>,
) -> Result<(), StoreError> {
    if group.iter().all(|request| request.rows.is_empty()) {
        // Only somebody who waits for what was written before.
        verdicts.resize(group.len(), Ok(()));
        return Ok(());
    }
    execute(connection, "BEGIN IMMEDIATE")?;
    for request in group {
        verdicts.push(match write_rows(connection, request) {
            Err(error @ StoreError::Database(_)) => return Err(error),
            refused_or_written => refused_or_written,
        });
    }
    execute(connection, "COMMIT")
}

fn write_rows(connection: &Connection, request: &Request) -> Result<(), StoreError> {
    if request.write.is_void() {
        return Err(StoreError::Void);
    }
    // One new execution can be refused before it has written anything. Only several ones need a way back.
    let needs_savepoint = request.rows.len() > 1;
    if needs_savepoint {
        execute(connection, "SAVEPOINT one_write")?;
    }
    let written = request.rows.iter().try_for_each(|rows| rows.execute(connection));
    if needs_savepoint {
        if written.is_err() {
            execute(connection, "ROLLBACK TO one_write")?;
        }
        execute(connection, "RELEASE one_write")?;
    }
    written
}

fn execute(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let run = || connection.prepare_cached(sql)?.execute([]);
    run().map(drop).map_err(StoreError::database)
}
