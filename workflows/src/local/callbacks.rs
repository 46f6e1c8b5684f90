//! Callback results, their history and the dead letters in SQLite.

use durable_runtime::protocol::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Database;
use crate::callback::RETENTION;
use crate::ports::{
    BoxFuture, Callbacks, DeadLetter, Delivery, HistoryEntry, NewCallback, Route, StoreError, Stored,
    StoredCallback, WorkflowId,
};

/// Callback results in the records database.
#[derive(Clone, Debug)]
pub struct SqliteCallbacks(Database);

impl SqliteCallbacks {
    /// Results kept in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self(database)
    }
}

impl Callbacks for SqliteCallbacks {
    fn register(&self, token: String, route: Route) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.write(move |tx| {
            tx.execute(
                "INSERT INTO callback_routes (token, workflow_id, phase) VALUES (?1, ?2, ?3)
                 ON CONFLICT (token) DO NOTHING",
                params![token, route.workflow_id.as_str(), tag(&route.phase)?],
            )?;
            Ok(())
        }))
    }

    fn route(&self, token: String) -> BoxFuture<'_, Result<Option<Route>, StoreError>> {
        Box::pin(self.0.read(move |db| {
            let row: Option<(String, String)> = db
                .prepare_cached("SELECT workflow_id, phase FROM callback_routes WHERE token = ?1")?
                .query_row([&token], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            row.map(|(id, phase)| Ok(Route { workflow_id: WorkflowId::named(id), phase: untag(phase)? }))
                .transpose()
        }))
    }

    fn store(&self, callback: NewCallback) -> BoxFuture<'_, Result<Stored, StoreError>> {
        Box::pin(self.0.write(move |tx| {
            let before: Option<(String, String)> = tx
                .prepare_cached("SELECT digest, delivery FROM callback_results WHERE token = ?1")?
                .query_row([&callback.token], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            match before {
                Some((digest, delivery)) if digest == callback.digest => {
                    Ok(Stored::Repeated(untag(delivery)?))
                }
                Some(_) => Ok(Stored::Contradicts),
                None => {
                    tx.execute(
                        "INSERT INTO callback_results (token, outcome, digest, delivery, expires_at)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                        params![
                            callback.token,
                            serde_json::to_string(&callback.outcome)?,
                            callback.digest,
                            tag(&Delivery::Pending)?,
                            callback.expires_at.as_millis(),
                        ],
                    )?;
                    Ok(Stored::New)
                }
            }
        }))
    }

    fn stored(&self, token: String) -> BoxFuture<'_, Result<Option<StoredCallback>, StoreError>> {
        Box::pin(self.0.read(move |db| {
            let row: Option<(String, String)> = db
                .prepare_cached("SELECT outcome, delivery FROM callback_results WHERE token = ?1")?
                .query_row([&token], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            row.map(|(outcome, delivery)| {
                Ok(StoredCallback {
                    outcome: serde_json::from_str(&outcome)?,
                    delivery: untag(delivery)?,
                    token,
                })
            })
            .transpose()
        }))
    }

    fn mark(&self, token: String, delivery: Delivery) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.write(move |tx| {
            tx.execute(
                "UPDATE callback_results SET delivery = ?2 WHERE token = ?1",
                params![token, tag(&delivery)?],
            )?;
            Ok(())
        }))
    }

    fn append_history(&self, entry: HistoryEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.write(move |tx| {
            tx.execute(
                "INSERT INTO callback_history (request_id, token, workflow_id, status, answer, at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (request_id) DO NOTHING",
                params![
                    entry.request_id,
                    entry.token,
                    entry.workflow_id.as_ref().map(WorkflowId::as_str),
                    entry.status,
                    entry.answer,
                    entry.at.as_millis(),
                ],
            )?;
            Ok(())
        }))
    }

    fn history(&self, workflow_id: WorkflowId) -> BoxFuture<'_, Result<Vec<HistoryEntry>, StoreError>> {
        Box::pin(self.0.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT request_id, token, status, answer, at FROM callback_history
                 WHERE workflow_id = ?1 ORDER BY seq",
            )?;
            let rows = statement.query_map([workflow_id.as_str()], |row| {
                Ok(HistoryEntry {
                    request_id: row.get(0)?,
                    token: row.get(1)?,
                    workflow_id: Some(workflow_id.clone()),
                    status: row.get(2)?,
                    answer: row.get(3)?,
                    at: Timestamp::from_millis(row.get(4)?),
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }))
    }

    fn bury(&self, letter: DeadLetter) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.write(move |tx| {
            tx.execute(
                "INSERT INTO dead_letters (id, token, reason, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO NOTHING",
                params![letter.id, letter.token, letter.reason, letter.at.as_millis()],
            )?;
            Ok(())
        }))
    }

    fn dead_letters(&self) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(self.0.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id, token, reason, at FROM dead_letters WHERE redriven_at IS NULL ORDER BY at, id",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(DeadLetter {
                    id: row.get(0)?,
                    token: row.get(1)?,
                    reason: row.get(2)?,
                    at: Timestamp::from_millis(row.get(3)?),
                    redriven_at: None,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        }))
    }

    fn redriven(&self, id: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.write(move |tx| {
            let now = Timestamp::from(std::time::SystemTime::now());
            tx.execute(
                "UPDATE dead_letters SET redriven_at = coalesce(redriven_at, ?2) WHERE id = ?1",
                params![id, now.as_millis()],
            )?;
            Ok(())
        }))
    }

    fn purge_expired(&self, now: Timestamp) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(self.0.write(move |tx| {
            let retention = i64::try_from(RETENTION.as_millis()).expect("two weeks are few milliseconds");
            let mut removed =
                tx.execute("DELETE FROM callback_results WHERE expires_at <= ?1", [now.as_millis()])?;
            for outdated in OUTDATED {
                removed += tx.execute(outdated, [now.as_millis() - retention])?;
            }
            Ok(removed)
        }))
    }
}

/// What is known of callbacks besides their results, when nobody will ask for it any more.
const OUTDATED: [&str; 3] = [
    "DELETE FROM dead_letters WHERE redriven_at <= ?1
         OR at <= ?1 AND token NOT IN (SELECT token FROM callback_results)",
    "DELETE FROM callback_routes WHERE workflow_id IN (SELECT id FROM workflows
         WHERE updated_at <= ?1 AND status IN ('COMPLETED', 'REJECTED', 'FAILED', 'CANCELLED'))",
    "DELETE FROM callback_history WHERE at <= ?1 AND (workflow_id IS NULL OR workflow_id IN (SELECT id FROM workflows
         WHERE updated_at <= ?1 AND status IN ('COMPLETED', 'REJECTED', 'FAILED', 'CANCELLED')))",
];

/// An enum without fields by its serde name, bare.
fn tag<T: Serialize>(value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value)? {
        Value::String(text) => Ok(text),
        other => Ok(other.to_string()),
    }
}

fn untag<T: DeserializeOwned>(text: String) -> Result<T, StoreError> {
    Ok(serde_json::from_value(Value::String(text))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ports::Outcome;

    fn callback(result: i64, digest: &str) -> NewCallback {
        NewCallback {
            token: "t".into(),
            outcome: Outcome::Success { result: json!(result) },
            digest: digest.into(),
            expires_at: Timestamp::from_millis(1000),
        }
    }

    #[tokio::test]
    async fn the_first_outcome_of_a_token_stands_until_it_expires() {
        let directory = tempfile::tempdir().unwrap();
        let callbacks = SqliteCallbacks::new(Database::open(&directory.path().join("records.db")).unwrap());
        assert_eq!(callbacks.store(callback(1, "one")).await.unwrap(), Stored::New);
        assert_eq!(callbacks.store(callback(1, "one")).await.unwrap(), Stored::Repeated(Delivery::Pending));
        callbacks.mark("t".into(), Delivery::Delivered).await.unwrap();
        assert_eq!(callbacks.store(callback(1, "one")).await.unwrap(), Stored::Repeated(Delivery::Delivered));
        assert_eq!(callbacks.store(callback(2, "two")).await.unwrap(), Stored::Contradicts);
        let stored = callbacks.stored("t".into()).await.unwrap().unwrap();
        assert_eq!(stored.outcome, Outcome::Success { result: json!(1) });

        assert_eq!(callbacks.purge_expired(Timestamp::from_millis(999)).await.unwrap(), 0);
        assert_eq!(callbacks.purge_expired(Timestamp::from_millis(1000)).await.unwrap(), 1);
        assert_eq!(callbacks.stored("t".into()).await.unwrap(), None);
    }
    #[tokio::test]
    async fn callbacks_of_ended_workflows_are_forgotten_and_those_of_others_kept() {
        use crate::{
            local::SqliteRecords,
            ports::{Change, NewRecord, Records},
            research::{Parameters, Phase, ResearchInput, Status},
        };
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("records.db")).unwrap();
        let (callbacks, records) = (SqliteCallbacks::new(database.clone()), SqliteRecords::new(database));
        let now = Timestamp::from(std::time::SystemTime::now());
        for name in ["ended", "waiting"] {
            let id = WorkflowId::named(name);
            let input = ResearchInput::new("topic", Parameters::default()).unwrap();
            records.create(NewRecord { id: id.clone(), input }).await.unwrap();
            let route = Route { workflow_id: id.clone(), phase: Phase::Research };
            callbacks.register(name.to_owned(), route).await.unwrap();
            let entry = HistoryEntry {
                request_id: name.to_owned(),
                token: "redacted".to_owned(),
                workflow_id: Some(id.clone()),
                status: "SUCCESS".to_owned(),
                answer: "callback_delivered".to_owned(),
                at: now,
            };
            callbacks.append_history(entry).await.unwrap();
            let (token, reason) = (name.to_owned(), "down".to_owned());
            let letter = DeadLetter { id: name.to_owned(), token, reason, at: now, redriven_at: None };
            callbacks.bury(letter).await.unwrap();
            let mut callback = callback(1, "one");
            name.clone_into(&mut callback.token);
            // Of a workflow that waits, the result is kept for longer than the test looks ahead.
            callback.expires_at = now.after(if name == "ended" { RETENTION } else { RETENTION * 3 });
            callbacks.store(callback).await.unwrap();
        }
        let done = Change::of(&WorkflowId::named("ended"), "test").to(Status::Failed);
        records.apply(done).await.unwrap();

        assert_eq!(callbacks.purge_expired(now).await.unwrap(), 0);
        let removed = callbacks.purge_expired(now.after(RETENTION * 2)).await.unwrap();
        assert_eq!(removed, 4, "a result, its dead letter, a token, a line of history");
        assert_eq!(callbacks.route("ended".to_owned()).await.unwrap(), None);
        assert!(callbacks.route("waiting".to_owned()).await.unwrap().is_some());
        assert_eq!(callbacks.history(WorkflowId::named("waiting")).await.unwrap().len(), 1);
        let letters = callbacks.dead_letters().await.unwrap();
        assert_eq!(letters.iter().map(|letter| letter.id.as_str()).collect::<Vec<_>>(), ["waiting"]);
    }
}
