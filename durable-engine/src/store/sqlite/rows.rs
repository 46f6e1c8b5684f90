//! Between the service's types and SQLite's columns.

use durable_runtime::protocol::{ErrorObject, OperationId, Payload, Timestamp};
use rusqlite::{
    Row,
    types::{FromSqlError, Type, ValueRef},
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::service::{
    ExecutionKey, ExecutionRecord, ExecutionStatus, Invocation, ParentLink, Pauses, PayloadHome,
};

/// The columns of `executions`, in the order in which [`record`] reads them.
pub(super) const RECORD_COLUMNS: &str = "key, id, function, name, tenant, status, started_at, ended_at, \
     timeout_seconds, invocation, invocation_started_at, owed_at, due_at, failures, updated, parent, \
     parent_operation, parent_owed, error, result, region, pauses, trace_header";

/// `payload_home` of a payload that is the execution's result.
const HOME_RESULT: i64 = -1;

pub(super) fn home_to_sql(home: PayloadHome) -> i64 {
    match home {
        PayloadHome::Operation(position) => i64::from(position),
        PayloadHome::Result => HOME_RESULT,
    }
}

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<ExecutionRecord> {
    let text = |column| row.get_ref(column).and_then(|value| Ok(value.as_str()?));
    let optional_text = |column| row.get_ref(column).and_then(|value| Ok(value.as_str_or_null()?));
    let moment = |column| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp::from_millis));
    let status = text(5)?;
    let status = ExecutionStatus::ALL
        .into_iter()
        .find(|known| known.as_str() == status)
        .ok_or_else(|| damaged(5, format!("unknown status {status}")))?;
    let invocation = match (optional_text(9)?, moment(10)?) {
        (Some(id), Some(started_at)) => Some(Invocation {
            id: Uuid::try_parse(id).map_err(|error| damaged(9, error.to_string()))?,
            started_at,
        }),
        _ => None,
    };
    let parent = match (row.get::<_, Option<i64>>(15)?, optional_text(16)?) {
        (Some(key), Some(operation)) => Some(ParentLink {
            execution: ExecutionKey::new(key),
            operation: OperationId::new(operation),
            owed: row.get(17)?,
        }),
        _ => None,
    };
    Ok(ExecutionRecord {
        key: ExecutionKey::new(row.get(0)?),
        id: text(1)?.into(),
        region: text(20)?.into(),
        function: text(2)?.into(),
        name: text(3)?.into(),
        tenant: optional_text(4)?.map(Into::into),
        trace_header: optional_text(22)?.map(Into::into),
        status,
        started_at: Timestamp::from_millis(row.get(6)?),
        ended_at: moment(7)?,
        timeout_seconds: u64::try_from(row.get::<_, i64>(8)?).unwrap_or_default(),
        pauses: json::<Option<Pauses>>(row, 21)?.unwrap_or_default(),
        invocation,
        owed_at: moment(11)?,
        due_at: moment(12)?,
        failures: row.get(13)?,
        updated: json::<Option<Vec<OperationId>>>(row, 14)?.unwrap_or_default(),
        parent,
        error: json::<Option<ErrorObject>>(row, 18)?,
        result: optional_text(19)?.map(Payload::from),
    })
}

/// The JSON value in a text column; NULL reads as JSON's null.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = match row.get_ref(column)? {
        ValueRef::Null => "null",
        value => value.as_str()?,
    };
    serde_json::from_str(text).map_err(|error| damaged(column, error.to_string()))
}

pub(super) fn payload(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Payload>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.map(Payload::from))
}

fn damaged(column: usize, problem: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(FromSqlError::Other(problem.into())),
    )
}
