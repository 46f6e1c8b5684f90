//! Items of the table: their keys and their attributes.

use std::{collections::HashMap, time::SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use durable_runtime::protocol::Timestamp;
use serde::{Serialize, de::DeserializeOwned};

use super::table::WHAT;
use crate::{
    callback::sha256,
    ports::{StoreError, WorkflowId},
};

pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The value of `kind` of workflow records.
pub(super) const WORKFLOW: &str = "WORKFLOW";
/// The value of `kind` of dead letters that are open.
pub(super) const DEAD_LETTER: &str = "DEAD_LETTER";

/// The primary key of an item. The module's documentation lists them all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) pk: String,
    pub(super) sk: String,
}

impl Key {
    pub(super) fn record(id: &WorkflowId) -> Self {
        Self::of_workflow(id, "RECORD".to_owned())
    }

    pub(super) fn audit(id: &WorkflowId, version: u64) -> Self {
        Self::of_workflow(id, format!("{}{version:010}", Self::AUDITS))
    }

    pub(super) fn event(id: &WorkflowId, kind: &str) -> Self {
        Self::of_workflow(id, format!("{}{kind}", Self::EVENTS))
    }

    /// A line of the history; without a workflow it belongs to nothing but its request.
    pub(super) fn history(id: Option<&WorkflowId>, at: Timestamp, request_id: &str) -> Self {
        match id {
            Some(id) => Self::of_workflow(id, format!("{}{}", Self::HISTORY, listed(at, request_id))),
            None => Self { pk: format!("REQUEST#{request_id}"), sk: "HISTORY".to_owned() },
        }
    }

    pub(super) fn claim(idempotency_key: &str) -> Self {
        Self { pk: format!("KEY#{}", sha256(idempotency_key.as_bytes())), sk: "CLAIM".to_owned() }
    }

    pub(super) fn route(token: &str) -> Self {
        Self::of_token(token, "ROUTE")
    }

    pub(super) fn result(token: &str) -> Self {
        Self::of_token(token, "RESULT")
    }

    pub(super) fn letter(id: &str) -> Self {
        Self { pk: format!("LETTER#{id}"), sk: "LETTER".to_owned() }
    }

    /// The beginnings of sort keys that are read together.
    pub(super) const AUDITS: &str = "AUDIT#";
    pub(super) const EVENTS: &str = "EVENT#";
    pub(super) const HISTORY: &str = "HISTORY#";

    pub(super) fn workflow_partition(id: &WorkflowId) -> String {
        format!("WORKFLOW#{id}")
    }

    fn of_workflow(id: &WorkflowId, sk: String) -> Self {
        Self { pk: Self::workflow_partition(id), sk }
    }

    fn of_token(token: &str, sk: &str) -> Self {
        Self { pk: format!("TOKEN#{}", sha256(token.as_bytes())), sk: sk.to_owned() }
    }

    pub(super) fn attributes(&self) -> Attributes {
        HashMap::from([
            ("pk".to_owned(), AttributeValue::S(self.pk.clone())),
            ("sk".to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }
}

/// A place in an index: in the order of time, and total.
pub(super) fn listed(at: Timestamp, id: &str) -> String {
    format!("{:015}#{id}", at.as_millis())
}

/// The moment in the unit of DynamoDB's time to live.
pub(super) fn seconds(at: Timestamp) -> i64 {
    at.as_millis() / 1000
}

pub(super) fn now() -> Timestamp {
    SystemTime::now().into()
}

/// One item, to be written or as it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Item(Attributes);

impl Item {
    pub(super) fn new(key: &Key) -> Self {
        Self(key.attributes())
    }

    pub(super) fn read(attributes: Attributes) -> Self {
        Self(attributes)
    }

    pub(super) fn into_attributes(self) -> Attributes {
        self.0
    }

    pub(super) fn with_text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::S(value.into()));
        self
    }

    pub(super) fn with_optional(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with_text(name, value),
            None => self,
        }
    }

    pub(super) fn with_number(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), AttributeValue::N(value.to_string()));
        self
    }

    pub(super) fn with_time(self, name: &str, value: Timestamp) -> Self {
        self.with_number(name, value.as_millis())
    }

    /// From when on DynamoDB may remove the item.
    pub(super) fn expiring(self, at: Timestamp) -> Self {
        self.with_number("expires_at", seconds(at))
    }

    pub(super) fn with_json<T: Serialize>(self, name: &str, value: &T) -> Result<Self, StoreError> {
        Ok(self.with_text(name, serde_json::to_string(value)?))
    }

    pub(super) fn text(&self, name: &str) -> Result<&str, StoreError> {
        self.optional_text(name).ok_or_else(|| self.unreadable(name, "a string is expected"))
    }

    pub(super) fn optional_text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_s().ok().map(String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Result<i64, StoreError> {
        self.optional_number(name).ok_or_else(|| self.unreadable(name, "a whole number is expected"))
    }

    pub(super) fn optional_number(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_n().ok()?.parse().ok()
    }

    pub(super) fn time(&self, name: &str) -> Result<Timestamp, StoreError> {
        Ok(Timestamp::from_millis(self.number(name)?))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        serde_json::from_str(self.text(name)?).map_err(|error| self.unreadable(name, &error.to_string()))
    }

    pub(super) fn optional_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, StoreError> {
        self.0.contains_key(name).then(|| self.json(name)).transpose()
    }

    /// A value whose wire form is a bare string, such as an enum without fields.
    pub(super) fn tagged<T: DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        serde_json::from_value(self.text(name)?.into())
            .map_err(|error| self.unreadable(name, &error.to_string()))
    }

    pub(super) fn with_tag<T: Serialize>(self, name: &str, value: &T) -> Result<Self, StoreError> {
        match serde_json::to_value(value)? {
            serde_json::Value::String(text) => Ok(self.with_text(name, text)),
            other => Ok(self.with_text(name, other.to_string())),
        }
    }

    /// DynamoDB removes expired items up to days late; nobody may see them until then.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.optional_number("expires_at").is_some_and(|at| at <= seconds(now))
    }

    /// True when the item is the one of `key`.
    pub(super) fn has_key(&self, key: &Key) -> bool {
        self.optional_text("pk") == Some(&key.pk) && self.optional_text("sk") == Some(&key.sk)
    }

    fn unreadable(&self, name: &str, reason: &str) -> StoreError {
        let sk = self.optional_text("sk").unwrap_or_default();
        let detail = format!("attribute `{name}` of an item `{sk}` can't be read: {reason}");
        StoreError::Refused { what: WHAT, detail }
    }
}
