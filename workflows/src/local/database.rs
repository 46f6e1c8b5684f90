//! The records database: one SQLite file, one thread that writes, one connection that reads.
//!
//! Writers that queue up while a transaction commits share the next one, so that a burst of callbacks costs a
//! few `fsync`s instead of one each. Nobody is answered before the commit.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction};
use tokio::sync::oneshot;

use crate::ports::StoreError;

/// `DRcd`, in the header of each of our files.
const APPLICATION_ID: i32 = 0x4452_6364;
const SCHEMA: &str = include_str!("../../migrations/V1__initial.sql");
const SCHEMA_VERSION: i32 = 1;
const WHAT: &str = "the workflow database";
/// Bounds how long the first of a shared transaction waits for the last.
const LARGEST_BATCH: usize = 256;

/// Why a records database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file belongs to something else.
    #[error("{0} is not a database of this program; choose another data directory with --data")]
    NotOurs(PathBuf),
    /// A newer version of this program wrote it.
    #[error(
        "{path} has schema version {found}, this program knows {SCHEMA_VERSION}; use a newer version of this program"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: i32,
    },
    /// Another process has it.
    #[error("{0} is locked by another process; end it, or choose another data directory with --data")]
    Locked(PathBuf),
    /// Anything else that SQLite says.
    #[error("can't open {path}: {source}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
}

type Job = Box<dyn FnOnce(&Transaction<'_>) -> Ending + Send>;
/// Answers the caller once it is known whether the transaction committed.
type Ending = Box<dyn FnOnce(Result<(), String>) + Send>;

/// A handle on the database; clones share it.
#[derive(Clone)]
pub struct Database {
    writer: mpsc::Sender<Job>,
    reader: Arc<Mutex<Connection>>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Database {
    /// Opens the database at `path`, creating it when there is none.
    ///
    /// # Errors
    ///
    /// The file is not ours, is too new, is locked, or SQLite can't use it. Nothing was changed then.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let mut connection = Connection::open(path).map_err(|error| open_error(path, error))?;
        prepare(&mut connection, path)?;
        let reader = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(|error| open_error(path, error))?;
        let (writer, jobs) = mpsc::channel();
        std::thread::Builder::new()
            .name("records-writer".to_owned())
            .spawn(move || write_until_closed(connection, &jobs))
            .map_err(|error| OpenError::Sqlite {
                path: path.to_owned(),
                source: rusqlite::Error::ToSqlConversionFailure(Box::new(error)),
            })?;
        Ok(Self { writer, reader: Arc::new(Mutex::new(reader)) })
    }

    /// Runs `change` in a transaction. Answers after the commit; an `Err` rolls back only this change.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |transaction| {
            let outcome = in_savepoint(transaction, change);
            Box::new(move |committed| {
                let outcome = match committed {
                    Ok(()) => outcome,
                    Err(detail) => outcome.and(Err(StoreError::Unavailable { what: WHAT, detail })),
                };
                // The caller may have gone away; then nobody needs the answer.
                let _ = answer.send(outcome);
            })
        });
        let closed = || StoreError::Unavailable { what: WHAT, detail: "the writer has ended".to_owned() };
        self.writer.send(job).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Runs a query on the reading connection, off the async threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let reader = Arc::clone(&self.reader);
        tokio::task::spawn_blocking(move || {
            // A panic in a query leaves nothing half-written: this connection can't write.
            query(&reader.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .map_err(|error| StoreError::Unavailable { what: WHAT, detail: error.to_string() })?
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable { what: WHAT, detail: error.to_string() }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unavailable { what: WHAT, detail: format!("a stored value can't be read: {error}") }
    }
}

fn prepare(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let sqlite = |error| open_error(path, error);
    connection.busy_timeout(std::time::Duration::from_secs(2)).map_err(sqlite)?;
    // Look before anything is written: somebody else's file must stay as it is.
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(sqlite)?;
    let (application, version) =
        (pragma("application_id").map_err(sqlite)?, pragma("user_version").map_err(sqlite)?);
    let is_new = tables == 0 && application == 0 && version == 0;
    if !is_new && application != APPLICATION_ID {
        return Err(OpenError::NotOurs(path.to_owned()));
    }
    if version > SCHEMA_VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found: version });
    }
    for (name, value) in [("journal_mode", "WAL"), ("synchronous", "FULL"), ("foreign_keys", "ON")] {
        connection.pragma_update(None, name, value).map_err(sqlite)?;
    }
    if is_new {
        let transaction = connection.transaction().map_err(sqlite)?;
        transaction.execute_batch(SCHEMA).map_err(sqlite)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}

fn open_error(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotOurs(path),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked(path),
        _ => OpenError::Sqlite { path, source },
    }
}

fn write_until_closed(mut connection: Connection, jobs: &mpsc::Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let batch = std::iter::once(first).chain(jobs.try_iter().take(LARGEST_BATCH - 1));
        let (endings, committed) = match connection.transaction() {
            Ok(transaction) => {
                let endings: Vec<Ending> = batch.map(|job| job(&transaction)).collect();
                (endings, transaction.commit().map_err(|error| error.to_string()))
            }
            Err(error) => {
                // Dropping the jobs answers their callers: the other half of their channel is gone.
                drop(batch.collect::<Vec<_>>());
                tracing::error!(%error, "can't begin a transaction in the records database");
                continue;
            }
        };
        for end in endings {
            end(committed.clone());
        }
    }
}

/// Changes that share a transaction must not undo each other.
fn in_savepoint<T>(
    transaction: &Transaction<'_>,
    change: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    transaction.execute_batch("SAVEPOINT change")?;
    let outcome = change(transaction);
    transaction.execute_batch(if outcome.is_ok() {
        "RELEASE change"
    } else {
        "ROLLBACK TO change; RELEASE change"
    })?;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_ours_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let text = directory.path().join("notes.db");
        std::fs::write(&text, "these are my notes, several hundred bytes of them. ".repeat(20)).unwrap();
        let before = std::fs::read(&text).unwrap();
        assert!(matches!(Database::open(&text), Err(OpenError::NotOurs(_))));
        assert_eq!(std::fs::read(&text).unwrap(), before);

        let foreign = directory.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        let before = std::fs::read(&foreign).unwrap();
        assert!(matches!(Database::open(&foreign), Err(OpenError::NotOurs(_))));
        assert_eq!(std::fs::read(&foreign).unwrap(), before);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("records.db");
        drop(Database::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
        assert!(matches!(Database::open(&path), Err(OpenError::Newer { found: 2, .. })));
    }

    #[tokio::test]
    async fn a_change_that_fails_takes_no_other_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("records.db")).unwrap();
        let insert = |id: &'static str, fail: bool| {
            let database = database.clone();
            async move {
                database
                    .write(move |tx| {
                        tx.execute("INSERT INTO dead_letters VALUES (?1, 't', 'r', 0, NULL)", [id])?;
                        if fail { Err(StoreError::Conflict("no".into())) } else { Ok(()) }
                    })
                    .await
            }
        };
        let (first, second, third) = tokio::join!(insert("a", false), insert("b", true), insert("c", false));
        assert!(first.is_ok() && second.is_err() && third.is_ok());
        let count: i64 = database
            .read(|db| Ok(db.query_row("SELECT count(*) FROM dead_letters", [], |row| row.get(0))?))
            .await
            .unwrap();
        assert_eq!(count, 2);
    }
}
