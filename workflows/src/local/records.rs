//! Workflow records in SQLite.

use std::time::SystemTime;

use durable_runtime::protocol::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Serialize, de::DeserializeOwned};

use super::Database;
use crate::{
    ports::{
        AuditEntry, BoxFuture, Change, CompletedStep, KeyClaim, ListQuery, NewRecord, Page, Records,
        StoreError, WorkflowId, WorkflowRecord,
    },
    research::Status,
};

const COLUMNS: &str =
    "id, input, status, current_step, created_at, updated_at, approval, comment, report, error";

/// Workflow records in the records database.
#[derive(Clone, Debug)]
pub struct SqliteRecords(Database);

impl SqliteRecords {
    /// Records kept in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self(database)
    }
}

impl Records for SqliteRecords {
    fn create(&self, record: NewRecord) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.write(move |tx| insert(tx, &record)))
    }

    fn create_once(
        &self,
        record: NewRecord,
        key: String,
        digest: String,
    ) -> BoxFuture<'_, Result<KeyClaim, StoreError>> {
        Box::pin(self.0.write(move |tx| {
            let before: Option<(String, String)> = tx
                .query_row("SELECT digest, workflow_id FROM idempotency_keys WHERE key = ?1", [&key], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })
                .optional()?;
            match before {
                Some((first, id)) if first == digest => Ok(KeyClaim::Repeated(WorkflowId::named(id))),
                Some(_) => Ok(KeyClaim::Reused),
                None => {
                    insert(tx, &record)?;
                    tx.execute(
                        "INSERT INTO idempotency_keys (key, digest, workflow_id) VALUES (?1, ?2, ?3)",
                        params![key, digest, record.id.as_str()],
                    )?;
                    Ok(KeyClaim::New)
                }
            }
        }))
    }

    fn apply(&self, change: Change) -> BoxFuture<'_, Result<WorkflowRecord, StoreError>> {
        Box::pin(self.0.write(move |tx| apply(tx, change)))
    }

    fn get(&self, id: WorkflowId) -> BoxFuture<'_, Result<Option<WorkflowRecord>, StoreError>> {
        Box::pin(self.0.read(move |db| select(db, &id)))
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(self.0.read(move |db| list(db, &query)))
    }

    fn audit(&self, id: WorkflowId) -> BoxFuture<'_, Result<Vec<AuditEntry>, StoreError>> {
        Box::pin(self.0.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT at, who, from_status, to_status FROM status_audit WHERE workflow_id = ?1 ORDER BY seq",
            )?;
            let rows = statement.query_map([id.as_str()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?, row.get::<_, String>(3)?))
            })?;
            rows.map(|row| {
                let (at, who, from, to) = row?;
                Ok(AuditEntry {
                    at: Timestamp::from_millis(at),
                    who,
                    from: from.as_deref().map(status).transpose()?,
                    to: status(&to)?,
                })
            })
            .collect()
        }))
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn insert(db: &Connection, record: &NewRecord) -> Result<(), StoreError> {
    let now = now();
    let status = Status::Initializing;
    let inserted = db.execute(
        "INSERT INTO workflows (id, input, status, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT (id) DO NOTHING",
        params![record.id.as_str(), serde_json::to_string(&record.input)?, status.as_str(), now.as_millis()],
    )?;
    if inserted > 0 {
        audit(db, &record.id, now, "api", None, status)?;
    }
    Ok(())
}

fn audit(
    db: &Connection,
    id: &WorkflowId,
    at: Timestamp,
    who: &str,
    from: Option<Status>,
    to: Status,
) -> Result<(), StoreError> {
    db.execute(
        "INSERT INTO status_audit (workflow_id, at, who, from_status, to_status) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id.as_str(), at.as_millis(), who, from.map(Status::as_str), to.as_str()],
    )?;
    Ok(())
}

fn apply(db: &Connection, change: Change) -> Result<WorkflowRecord, StoreError> {
    let (id, who) = (change.id.clone(), change.who);
    let before =
        select(db, &id)?.ok_or_else(|| StoreError::NotFound(format!("no workflow has the id `{id}`")))?;
    let (status, known_steps) = (before.status, before.steps_completed.len());
    let after = before.changed(change, now())?;
    db.execute(
        "UPDATE workflows SET status = ?2, current_step = ?3, updated_at = ?4, approval = ?5, comment = ?6,
             report = ?7, error = ?8
         WHERE id = ?1",
        params![
            id.as_str(),
            after.status.as_str(),
            after.current_step,
            after.updated_at.as_millis(),
            json(after.approval.as_ref())?,
            after.comment,
            json(after.report.as_ref())?,
            after.error,
        ],
    )?;
    for step in after.steps_completed.iter().skip(known_steps) {
        db.execute(
            "INSERT INTO completed_steps (workflow_id, name, completed_at, summary) VALUES (?1, ?2, ?3, ?4)",
            params![id.as_str(), step.name, step.completed_at.as_millis(), step.summary],
        )?;
    }
    if status != after.status {
        audit(db, &id, after.updated_at, who, Some(status), after.status)?;
    }
    Ok(after)
}

fn select(db: &Connection, id: &WorkflowId) -> Result<Option<WorkflowRecord>, StoreError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM workflows WHERE id = ?1"))?;
    let stored = statement.query_row([id.as_str()], StoredRow::read).optional()?;
    stored.map(|row| row.into_record(db)).transpose()
}

fn list(db: &Connection, query: &ListQuery) -> Result<Page, StoreError> {
    let size = query.page_size();
    let (before_time, before_id) = match query.after()? {
        None => (i64::MAX, String::new()),
        Some(cursor) => (cursor.created_at.as_millis(), cursor.id.as_str().to_owned()),
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM workflows
         WHERE (created_at, id) < (?1, ?2) AND (?3 IS NULL OR status = ?3)
         ORDER BY created_at DESC, id DESC LIMIT ?4"
    ))?;
    let rows = statement.query_map(
        params![before_time, before_id, query.status.map(Status::as_str), size as i64 + 1],
        StoredRow::read,
    )?;
    let records =
        rows.map(|row| row?.into_record(db)).collect::<Result<Vec<WorkflowRecord>, StoreError>>()?;
    Ok(Page::of(records, size))
}

/// The columns as they are stored, before their JSON is read.
struct StoredRow {
    id: String,
    input: String,
    status: String,
    current_step: Option<String>,
    created_at: i64,
    updated_at: i64,
    approval: Option<String>,
    comment: Option<String>,
    report: Option<String>,
    error: Option<String>,
}

impl StoredRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            input: row.get(1)?,
            status: row.get(2)?,
            current_step: row.get(3)?,
            created_at: row.get(4)?,
            updated_at: row.get(5)?,
            approval: row.get(6)?,
            comment: row.get(7)?,
            report: row.get(8)?,
            error: row.get(9)?,
        })
    }

    fn into_record(self, db: &Connection) -> Result<WorkflowRecord, StoreError> {
        let mut statement = db.prepare_cached(
            "SELECT name, completed_at, summary FROM completed_steps WHERE workflow_id = ?1 ORDER BY seq",
        )?;
        let steps_completed = statement
            .query_map([&self.id], |row| {
                Ok(CompletedStep {
                    name: row.get(0)?,
                    completed_at: Timestamp::from_millis(row.get(1)?),
                    summary: row.get(2)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        Ok(WorkflowRecord {
            input: serde_json::from_str(&self.input)?,
            status: status(&self.status)?,
            current_step: self.current_step,
            created_at: Timestamp::from_millis(self.created_at),
            updated_at: Timestamp::from_millis(self.updated_at),
            steps_completed,
            approval: from_json(self.approval.as_deref())?,
            comment: self.comment,
            report: from_json(self.report.as_deref())?,
            error: self.error,
            id: WorkflowId::named(self.id),
        })
    }
}

fn status(text: &str) -> Result<Status, StoreError> {
    text.parse().map_err(|_| StoreError::Unavailable {
        what: "the workflow database",
        detail: format!("it holds the status `{text}`, which this program does not know"),
    })
}

pub(super) fn json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    Ok(value.map(serde_json::to_string).transpose()?)
}

fn from_json<T: DeserializeOwned>(text: Option<&str>) -> Result<Option<T>, StoreError> {
    Ok(text.map(serde_json::from_str).transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::{Parameters, ResearchInput};

    fn records() -> (tempfile::TempDir, SqliteRecords) {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("records.db")).unwrap();
        (directory, SqliteRecords::new(database))
    }

    fn new_record(id: &str) -> NewRecord {
        let input = ResearchInput::new("topic", Parameters::default()).unwrap();
        NewRecord { id: WorkflowId::named(id), input }
    }

    #[tokio::test]
    async fn a_repeated_change_is_on_record_once_and_an_ended_workflow_stays_ended() {
        let (_directory, records) = records();
        let id = WorkflowId::named("w");
        records.create(new_record("w")).await.unwrap();
        records.create(new_record("w")).await.unwrap();
        for _ in 0..2 {
            let change =
                Change::of(&id, "init_workflow").to(Status::Running).completing("init_workflow", "ok");
            records.apply(change).await.unwrap();
        }
        records.apply(Change::of(&id, "api").to(Status::Cancelled)).await.unwrap();
        let late = records.apply(Change::of(&id, "callback").to(Status::Running)).await;
        assert!(matches!(late, Err(StoreError::Conflict(_))));
        assert!(matches!(records.apply(Change::of(&id, "callback")).await, Err(StoreError::Conflict(_))));

        let record = records.get(id.clone()).await.unwrap().unwrap();
        assert_eq!((record.status, record.steps_completed.len()), (Status::Cancelled, 1));
        let moves: Vec<_> = records.audit(id).await.unwrap().into_iter().map(|entry| entry.to).collect();
        assert_eq!(moves, [Status::Initializing, Status::Running, Status::Cancelled]);
    }

    #[tokio::test]
    async fn pages_are_newest_first_and_complete() {
        let (_directory, records) = records();
        for id in ["a", "b", "c", "d", "e"] {
            records.create(new_record(id)).await.unwrap();
        }
        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = records.list(ListQuery { limit: 2, cursor, status: None }).await.unwrap();
            seen.extend(page.records.iter().map(|record| (record.created_at, record.id.clone())));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|a, b| a > b));
        let none = ListQuery { status: Some(Status::Failed), ..ListQuery::default() };
        assert!(records.list(none).await.unwrap().records.is_empty());
        let bad = ListQuery { cursor: Some("nonsense".into()), ..ListQuery::default() };
        assert!(records.list(bad).await.is_err());
    }

    #[tokio::test]
    async fn a_key_stands_for_one_request() {
        let (_directory, records) = records();
        let claim = |id: &str, digest: &str| records.create_once(new_record(id), "k".into(), digest.into());
        assert_eq!(claim("a", "1").await.unwrap(), KeyClaim::New);
        assert_eq!(claim("b", "1").await.unwrap(), KeyClaim::Repeated(WorkflowId::named("a")));
        assert_eq!(claim("b", "2").await.unwrap(), KeyClaim::Reused);
        assert!(records.get(WorkflowId::named("b")).await.unwrap().is_none());
    }
}
