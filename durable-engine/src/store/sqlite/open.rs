//! Opens or creates a database, and leaves alone whatever is not ours.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rusqlite::Connection;

use super::lock::LockFile;

/// "Dura" in ASCII: marks our databases in SQLite's header.
const APPLICATION_ID: u32 = 0x4475_7261;
/// Each migration takes the schema from its position in this list to the next version.
const MIGRATIONS: [&str; 3] =
    [include_str!("schema_v1.sql"), include_str!("schema_v2.sql"), include_str!("schema_v3.sql")];
/// The version that this program writes.
const VERSION: u32 = MIGRATIONS.len() as u32;

/// Why a database could not be opened. The file was not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "{} is in use by {}; stop that process, or talk to it instead of opening its database",
        .database.display(),
        .holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The database.
        database: PathBuf,
        /// The other process.
        holder: Option<u32>,
    },
    /// The file is something else.
    #[error("{} is not a durable execution database; it was left as it is, choose another path", .database.display())]
    Foreign {
        /// The file.
        database: PathBuf,
    },
    /// The file was written by a newer version of this program.
    #[error(
        "{} has schema version {found}, and this program knows versions up to {known}; use a newer program",
        .database.display()
    )]
    Newer {
        /// The database.
        database: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known.
        known: u32,
    },
    /// The lock file could not be created or locked.
    #[error("the lock file {} cannot be used: {source}; check the directory's permissions", .path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {source}", .database.display())]
    Unreadable {
        /// The database.
        database: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("{} cannot be opened: {source}", .database.display())]
    Sqlite {
        /// The database.
        database: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The writer's thread could not be started.
    #[error("the thread that writes cannot be started: {source}")]
    Thread {
        /// Why.
        source: io::Error,
    },
}

/// A database ready to be written.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) last_key: i64,
    pub(super) lock: LockFile,
}

pub(super) fn open(path: &Path) -> Result<Opened, OpenError> {
    // Before the lock, so that a foreign file does not even get a lock file beside it.
    check_header(path)?;
    let lock = LockFile::acquire(path)?;
    check_header(path)?;
    create_private(path)?;
    let sqlite = |source| OpenError::Sqlite { database: path.to_owned(), source };
    let mut connection = Connection::open(path).map_err(sqlite)?;
    migrate(&mut connection, path)?;
    configure_writer(&connection).map_err(sqlite)?;
    let last_key = connection
        .query_row(
            "SELECT max(last_key, (SELECT coalesce(max(key), 0) FROM executions)) FROM removed",
            [],
            |row| row.get(0),
        )
        .map_err(sqlite)?;
    Ok(Opened { connection, last_key, lock })
}

/// Creates a new database's file for nobody else to read; an empty file is a new database to SQLite, which gives
/// the log beside it the same permissions. A file that exists keeps its own.
fn create_private(path: &Path) -> Result<(), OpenError> {
    match private_file().create_new(true).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(OpenError::Unreadable { database: path.to_owned(), source }),
    }
}

/// How files are created that hold what executions are given and what they return.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Reads SQLite's header without SQLite, which might change a file just by opening it (a journal to roll
/// back, a write-ahead log to merge).
fn check_header(path: &Path) -> Result<(), OpenError> {
    let unreadable = |source| OpenError::Unreadable { database: path.to_owned(), source };
    let foreign = || OpenError::Foreign { database: path.to_owned() };
    let mut header = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(100).read_to_end(&mut header).map_err(unreadable)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(error)),
    };
    if header.is_empty() {
        return Ok(());
    }
    let number_at = |offset: usize| {
        header.get(offset..offset + 4).and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)))
    };
    if !header.starts_with(b"SQLite format 3\0") || number_at(68) != Some(APPLICATION_ID) {
        return Err(foreign());
    }
    check_version(number_at(60).ok_or_else(foreign)?, path)
}

fn check_version(found: u32, path: &Path) -> Result<(), OpenError> {
    if found <= VERSION {
        return Ok(());
    }
    Err(OpenError::Newer { database: path.to_owned(), found, known: VERSION })
}

/// Brings the schema up to date in one transaction. A new database is created with a rollback journal, so that
/// the header says whose it is from the first moment on, and uses the write-ahead log afterwards.
fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let sqlite = |source| OpenError::Sqlite { database: path.to_owned(), source };
    let version =
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0)).map_err(sqlite)?;
    check_version(version, path)?;
    if version == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction().map_err(sqlite)?;
    for migration in MIGRATIONS.iter().skip(version as usize) {
        transaction.execute_batch(migration).map_err(sqlite)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
    transaction.pragma_update(None, "user_version", VERSION).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}

fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    // The answer of this pragma is the mode that was really set; a file system without shared memory refuses.
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR),
            Some(format!("the file system does not support write-ahead logging (journal mode is {mode})")),
        ));
    }
    // A commit that was answered survives a power loss.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // 16 MiB of pages for the writer.
    connection.pragma_update(None, "cache_size", -16_384)?;
    // A commit into the part of the log that exists already costs a third less than one that makes it grow, so the log is
    // merged into the database, and begun anew, every 4 MiB.
    connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}
