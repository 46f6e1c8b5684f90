//! Changes as rows: made by whoever asks for the write, so that the one writing thread only binds and steps.

use durable_runtime::protocol::{Payload, Timestamp};
use rusqlite::{Connection, params};

use super::rows::home_to_sql;
use crate::{
    service::{CallbackTimer, Changes, ExecutionRecord, Pauses, payload_slot},
    store::StoreError,
};

/// One execution's changes, ready to be bound.
pub(super) struct EncodedChanges {
    key: i64,
    created: bool,
    record: Option<EncodedRecord>,
    operations: Vec<EncodedOperation>,
    events: Vec<EncodedEvent>,
}

struct EncodedRecord {
    record: Box<ExecutionRecord>,
    // Its members that are JSON; absent when there is nothing to say.
    updated: Option<String>,
    error: Option<String>,
    pauses: Option<String>,
}

struct EncodedOperation {
    position: u32,
    data: String,
    timer: Option<String>,
    payload: Option<Payload>,
}

struct EncodedEvent {
    event_id: u64,
    data: String,
    home: Option<i64>,
    payload: Option<Payload>,
}

const INSERT_EXECUTION: &str = "INSERT INTO executions (key, id, function, name, tenant, status, started_at, \
     ended_at, timeout_seconds, invocation, invocation_started_at, owed_at, due_at, failures, updated, parent, \
     parent_operation, parent_owed, error, result, region, pauses, trace_header) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, \
     ?22, ?23) \
     ON CONFLICT (name, function) DO NOTHING";

const UPDATE_EXECUTION: &str = "UPDATE executions SET status = ?2, ended_at = ?3, invocation = ?4, \
     invocation_started_at = ?5, owed_at = ?6, due_at = ?7, failures = ?8, updated = ?9, parent_owed = ?10, \
     error = ?11, result = ?12, pauses = ?13 WHERE key = ?1";

const PUT_OPERATION: &str = "INSERT INTO operations (execution, position, data, timer, payload) \
     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (execution, position) \
     DO UPDATE SET data = excluded.data, timer = excluded.timer, payload = excluded.payload";

const INSERT_EVENT: &str =
    "INSERT INTO events (execution, event_id, data, payload_home, payload) VALUES (?1, ?2, ?3, ?4, ?5)";

impl EncodedChanges {
    pub(super) fn encode(changes: Changes) -> Result<Self, StoreError> {
        let record = changes.record.map(EncodedRecord::encode).transpose()?;
        let mut operations = Vec::with_capacity(changes.operations.len());
        for mut changed in changes.operations {
            let payload = payload_slot(&mut changed.operation).and_then(Option::take);
            operations.push(EncodedOperation {
                position: changed.position,
                data: to_json(&changed.operation)?,
                timer: changed.callback_timer.as_ref().map(to_json::<CallbackTimer>).transpose()?,
                payload,
            });
        }
        let mut events = Vec::with_capacity(changes.events.len());
        for mut new in changes.events {
            let payload = new.event.details.payload_mut().and_then(|wrapper| wrapper.payload.take());
            let home = new.payload_home.filter(|_| payload.is_some()).map(home_to_sql);
            events.push(EncodedEvent {
                event_id: new.event.event_id,
                data: to_json(&new.event)?,
                home,
                payload: payload.filter(|_| home.is_none()),
            });
        }
        Ok(Self { key: changes.key.get(), created: changes.created, record, operations, events })
    }

    pub(super) const fn is_created(&self) -> bool {
        self.created
    }

    /// Writes the rows inside the caller's transaction.
    pub(super) fn execute(&self, connection: &Connection) -> Result<(), StoreError> {
        if let Some(record) = &self.record {
            // Before anything else is written.
            let written = self.execute_record(connection, record);
            if written.map_err(StoreError::database)? == 0 {
                return Err(if self.created { StoreError::NameTaken } else { StoreError::Removed });
            }
        }
        self.execute_rows(connection).map_err(StoreError::database)
    }

    fn execute_rows(&self, connection: &Connection) -> rusqlite::Result<()> {
        if !self.operations.is_empty() {
            let mut put = connection.prepare_cached(PUT_OPERATION)?;
            for operation in &self.operations {
                let payload = operation.payload.as_deref();
                put.execute(params![self.key, operation.position, operation.data, operation.timer, payload])?;
            }
        }
        if !self.events.is_empty() {
            let mut insert = connection.prepare_cached(INSERT_EVENT)?;
            for event in &self.events {
                let id = i64::try_from(event.event_id).unwrap_or(i64::MAX);
                insert.execute(params![self.key, id, event.data, event.home, event.payload.as_deref()])?;
            }
        }
        Ok(())
    }

    fn execute_record(
        &self,
        connection: &Connection,
        EncodedRecord { record, updated, error, pauses }: &EncodedRecord,
    ) -> rusqlite::Result<usize> {
        let millis = |moment: Option<Timestamp>| moment.map(Timestamp::as_millis);
        let ended_at = millis(record.ended_at);
        let invocation = record.invocation.map(|invocation| invocation.id.to_string());
        let invocation_started_at = millis(record.invocation.map(|invocation| invocation.started_at));
        let owed_at = millis(record.owed_at);
        let due_at = millis(record.due_at);
        let parent_owed = record.parent.as_ref().is_some_and(|parent| parent.owed);
        let result = record.result.as_deref();
        let status = record.status.as_str();
        if !self.created {
            return connection.prepare_cached(UPDATE_EXECUTION)?.execute(params![
                self.key,
                status,
                ended_at,
                invocation,
                invocation_started_at,
                owed_at,
                due_at,
                record.failures,
                updated,
                parent_owed,
                error,
                result,
                pauses
            ]);
        }
        connection.prepare_cached(INSERT_EXECUTION)?.execute(params![
            self.key,
            record.id,
            record.function,
            record.name,
            record.tenant,
            status,
            record.started_at.as_millis(),
            ended_at,
            i64::try_from(record.timeout_seconds).unwrap_or(i64::MAX),
            invocation,
            invocation_started_at,
            owed_at,
            due_at,
            record.failures,
            updated,
            record.parent.as_ref().map(|parent| parent.execution.get()),
            record.parent.as_ref().map(|parent| parent.operation.as_str()),
            parent_owed,
            error,
            result,
            record.region,
            pauses,
            record.trace_header
        ])
    }
}

impl EncodedRecord {
    fn encode(record: Box<ExecutionRecord>) -> Result<Self, StoreError> {
        let updated = Some(&record.updated).filter(|updated| !updated.is_empty()).map(to_json).transpose()?;
        let error = record.error.as_ref().map(to_json).transpose()?;
        let pauses = Some(&record.pauses).filter(|pauses| **pauses != Pauses::default()).map(to_json);
        Ok(Self { updated, error, pauses: pauses.transpose()?, record })
    }
}

fn to_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(StoreError::database)
}
