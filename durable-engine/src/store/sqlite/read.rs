//! Reading, on connections of their own so that a long read never holds up a commit.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use durable_runtime::protocol::{Operation, Timestamp};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, ToSql, params, params_from_iter};

use super::rows::{self, RECORD_COLUMNS};
use crate::{
    service::{CallbackTimer, Event, ExecutionKey, ExecutionRecord, Loaded, payload_slot},
    store::{EndedQuery, HistoryQuery, ListQuery, StoreError, StoredRecord},
};

/// Connections that read at the same time. All of them are kept for the next read.
pub(super) const CONNECTIONS: usize = 4;

pub(super) struct Readers {
    path: PathBuf,
    /// `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::new(Some(Vec::new())) }
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = match &mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(idle) => idle.pop(),
            None => return Err(StoreError::Closed),
        };
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().map_err(StoreError::database)?,
        };
        let result = read(&connection).map_err(StoreError::database);
        if let Some(idle) = &mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner)
            && idle.len() < CONNECTIONS
        {
            idle.push(connection);
        }
        result
    }

    pub(super) fn close(&self) {
        drop(self.idle.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(connection)
    }
}

pub(super) fn load(connection: &Connection, key: ExecutionKey) -> rusqlite::Result<Option<Loaded>> {
    // One snapshot for the three reads.
    let transaction = connection.unchecked_transaction()?;
    let Some(stored) = record_only(&transaction, key)? else { return Ok(None) };
    let (operations, callback_timers) = operations(&transaction, key)?;
    let last_event_id = transaction
        .prepare_cached("SELECT max(event_id) FROM events WHERE execution = ?1")?
        .query_row([key.get()], |row| row.get::<_, Option<i64>>(0))?;
    Ok(Some(Loaded {
        record: stored,
        operations,
        callback_timers,
        last_event_id: last_event_id.and_then(|id| u64::try_from(id).ok()).unwrap_or(0),
    }))
}

fn record_only(connection: &Connection, key: ExecutionKey) -> rusqlite::Result<Option<ExecutionRecord>> {
    let sql = select_records("WHERE key = ?1");
    connection.prepare_cached(&sql)?.query_row([key.get()], rows::record).optional()
}

fn select_records(rest: &str) -> String {
    format!("SELECT {RECORD_COLUMNS} FROM executions {rest}")
}

pub(super) fn record(connection: &Connection, key: ExecutionKey) -> rusqlite::Result<Option<StoredRecord>> {
    let transaction = connection.unchecked_transaction()?;
    let Some(record) = record_only(&transaction, key)? else { return Ok(None) };
    let input = transaction
        .prepare_cached("SELECT payload FROM operations WHERE execution = ?1 AND position = 0")?
        .query_row([key.get()], |row| rows::payload(row, 0))
        .optional()?;
    Ok(Some(StoredRecord { record, input: input.flatten() }))
}

pub(super) fn find(connection: &Connection, name: &str) -> rusqlite::Result<Vec<ExecutionKey>> {
    let mut statement =
        connection.prepare_cached("SELECT key FROM executions WHERE name = ?1 ORDER BY key")?;
    statement.query_map([name], key_column)?.collect()
}

pub(super) fn list(connection: &Connection, query: &ListQuery) -> rusqlite::Result<Vec<ExecutionRecord>> {
    let mut conditions = vec!["1".to_owned()];
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut require = |condition: &str, value: Box<dyn ToSql>| {
        values.push(value);
        conditions.push(format!("{condition} ?{}", values.len()));
    };
    if let Some(name) = &query.name {
        require("name =", Box::new(name.clone()));
    }
    if let Some(function) = &query.function {
        require("function =", Box::new(function.clone()));
    }
    if let Some(moment) = query.started_after {
        require("started_at >=", Box::new(moment.as_millis()));
    }
    if let Some(moment) = query.started_before {
        require("started_at <=", Box::new(moment.as_millis()));
    }
    if let Some(key) = query.beyond {
        require(if query.oldest_first { "key >" } else { "key <" }, Box::new(key.get()));
    }
    if !query.statuses.is_empty() {
        // The statuses' names are constants of this program, nothing to escape.
        let names: Vec<_> = query.statuses.iter().map(|status| format!("'{status}'")).collect();
        conditions.push(format!("status IN ({})", names.join(", ")));
    }
    let order = if query.oldest_first { "ASC" } else { "DESC" };
    let sql = select_records(&format!(
        "WHERE {} ORDER BY key {order} LIMIT {}",
        conditions.join(" AND "),
        query.limit.min(i64::MAX as usize)
    ));
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(params_from_iter(values), rows::record)?.collect()
}

type OperationsAndTimers = (Vec<Operation>, Vec<(u32, CallbackTimer)>);

pub(super) fn operations(
    connection: &Connection,
    key: ExecutionKey,
) -> rusqlite::Result<OperationsAndTimers> {
    let mut statement = connection.prepare_cached(
        "SELECT position, data, timer, payload FROM operations WHERE execution = ?1 ORDER BY position",
    )?;
    let mut found = statement.query([key.get()])?;
    let (mut operations, mut timers) = (Vec::new(), Vec::new());
    while let Some(row) = found.next()? {
        let mut operation: Operation = rows::json(row, 1)?;
        if let Some(payload) = rows::payload(row, 3)?
            && let Some(slot) = payload_slot(&mut operation)
        {
            *slot = Some(payload);
        }
        if let Some(timer) = rows::json::<Option<CallbackTimer>>(row, 2)? {
            timers.push((row.get(0)?, timer));
        }
        operations.push(operation);
    }
    Ok((operations, timers))
}

pub(super) fn history(
    connection: &Connection,
    key: ExecutionKey,
    query: HistoryQuery,
) -> rusqlite::Result<Vec<Event>> {
    const FORWARDS: &str = "SELECT event.data, coalesce(event.payload, operation.payload, \
         CASE event.payload_home WHEN -1 THEN (SELECT result FROM executions WHERE key = ?1) END) \
         FROM events AS event LEFT JOIN operations AS operation \
         ON operation.execution = event.execution AND operation.position = event.payload_home \
         WHERE event.execution = ?1 AND event.event_id >= ?2 ORDER BY event.event_id LIMIT ?3";
    let sql = if query.backwards {
        FORWARDS.replace(">=", "<").replace("ORDER BY event.event_id", "ORDER BY event.event_id DESC")
    } else {
        FORWARDS.to_owned()
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let from = i64::try_from(query.from).unwrap_or(i64::MAX);
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let mut found = statement.query(params![key.get(), from, limit])?;
    let mut events = Vec::new();
    while let Some(row) = found.next()? {
        let mut event: Event = rows::json(row, 0)?;
        if let Some(payload) = rows::payload(row, 1)?
            && let Some(wrapper) = event.details.payload_mut()
        {
            wrapper.payload = Some(payload);
        }
        events.push(event);
    }
    Ok(events)
}

/// An execution that has ended is due as long as an invocation of it runs, or its parent has not heard of its end.
pub(super) fn ended(connection: &Connection, query: &EndedQuery) -> rusqlite::Result<Vec<ExecutionKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT key FROM executions \
         WHERE key > ?1 AND ended_at < ?2 AND due_at IS NULL AND (?3 IS NULL OR function = ?3) \
         ORDER BY key LIMIT ?4",
    )?;
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    statement
        .query_map(
            params![query.beyond.get(), query.before.as_millis(), query.function.as_deref(), limit],
            key_column,
        )?
        .collect()
}

pub(super) fn due(
    connection: &Connection,
    functions: &[Arc<str>],
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<ExecutionKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT key FROM executions WHERE function = ?1 AND due_at > 0 AND due_at <= ?2 ORDER BY due_at, key LIMIT ?3",
    )?;
    let mut due = Vec::new();
    for function in functions {
        let left = i64::try_from(limit - due.len()).unwrap_or(i64::MAX);
        for key in statement.query_map(params![function, now.as_millis(), left], key_column)? {
            due.push(key?);
        }
    }
    Ok(due)
}

pub(super) fn next_due(
    connection: &Connection,
    functions: &[Arc<str>],
) -> rusqlite::Result<Option<Timestamp>> {
    let mut statement =
        connection.prepare_cached("SELECT min(due_at) FROM executions WHERE function = ?1 AND due_at > 0")?;
    let mut next: Option<i64> = None;
    for function in functions {
        let due: Option<i64> = statement.query_row([function], |row| row.get(0))?;
        next = next.into_iter().chain(due).min();
    }
    Ok(next.map(Timestamp::from_millis))
}

pub(super) fn invoking(
    connection: &Connection,
    function: &str,
    after: ExecutionKey,
    limit: usize,
) -> rusqlite::Result<Vec<ExecutionKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT key FROM executions WHERE function = ?1 AND due_at = 0 AND key > ?2 ORDER BY key LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    statement.query_map(params![function, after.get(), limit], key_column)?.collect()
}

fn key_column(row: &rusqlite::Row<'_>) -> rusqlite::Result<ExecutionKey> {
    row.get(0).map(ExecutionKey::new)
}
