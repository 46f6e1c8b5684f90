//! Domain events in an append-only table.

use rusqlite::params;

use super::Database;
use crate::ports::{BoxFuture, DomainEvent, Events, StoreError, WorkflowId};

/// Domain events in the records database.
#[derive(Clone, Debug)]
pub struct SqliteEvents(Database);

impl SqliteEvents {
    /// Events kept in `database`.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self(database)
    }
}

impl Events for SqliteEvents {
    fn emit(&self, event: DomainEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.write(move |tx| {
            let now = durable_runtime::protocol::Timestamp::from(std::time::SystemTime::now());
            tx.execute(
                "INSERT INTO domain_events (workflow_id, kind, detail, at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (workflow_id, kind) DO NOTHING",
                params![event.workflow_id.as_str(), event.kind, event.detail.to_string(), now.as_millis()],
            )?;
            Ok(())
        }))
    }

    fn of(&self, workflow_id: WorkflowId) -> BoxFuture<'_, Result<Vec<DomainEvent>, StoreError>> {
        Box::pin(self.0.read(move |db| {
            let mut statement = db.prepare_cached(
                "SELECT kind, detail FROM domain_events WHERE workflow_id = ?1 ORDER BY seq",
            )?;
            let rows = statement
                .query_map([workflow_id.as_str()], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
            rows.map(|row| {
                let (kind, detail) = row?;
                Ok(DomainEvent {
                    workflow_id: workflow_id.clone(),
                    kind,
                    detail: serde_json::from_str(&detail)?,
                })
            })
            .collect()
        }))
    }
}
