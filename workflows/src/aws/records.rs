//! Workflow records in the table.

use aws_sdk_dynamodb::types::AttributeValue;
use durable_runtime::protocol::Timestamp;
use uuid::Uuid;

use super::{
    Table,
    item::{Item, Key, WORKFLOW, listed, now},
    table::{ConditionalPut, WRITE_ATTEMPTS, Written, contended, pause},
};
use crate::{
    ports::{
        AuditEntry, BoxFuture, Change, KeyClaim, ListQuery, NewRecord, Page, Records, StoreError, WorkflowId,
        WorkflowRecord,
    },
    research::Status,
};

/// Workflow records, their audit trail and the idempotency keys.
#[derive(Clone, Debug)]
pub struct DynamoRecords(Table);

impl DynamoRecords {
    /// Records in `table`.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self(table)
    }

    async fn read(&self, id: &WorkflowId) -> Result<Option<WorkflowRecord>, StoreError> {
        self.0.get(&Key::record(id)).await?.map(|item| record(&item)).transpose()
    }

    async fn claim(&self, new: NewRecord, key: &str, digest: &str) -> Result<KeyClaim, StoreError> {
        let claim = Item::new(&Key::claim(key))
            .with_text("digest", digest)
            .with_text("workflow_id", new.id.as_str())
            .with_time("at", now());
        let mut puts = vec![ConditionalPut::new(claim)];
        puts.extend(initial(new)?);
        if self.0.put_together(puts).await? == Written::Done {
            return Ok(KeyClaim::New);
        }
        let before = self.0.get(&Key::claim(key)).await?.ok_or_else(|| StoreError::Refused {
            what: super::table::WHAT,
            detail: "there is a record with this id already, made without this idempotency key".to_owned(),
        })?;
        Ok(if before.text("digest")? == digest {
            KeyClaim::Repeated(WorkflowId::named(before.text("workflow_id")?))
        } else {
            KeyClaim::Reused
        })
    }

    /// Reads, changes and writes the record, again when somebody else wrote it in between.
    async fn change(&self, change: Change) -> Result<WorkflowRecord, StoreError> {
        let id = &change.id;
        // A write whose answer was lost is found by its name, and not done again.
        let write = Uuid::new_v4().to_string();
        for attempt in 0..WRITE_ATTEMPTS {
            let item = self.0.get(&Key::record(id)).await?;
            let item = item.ok_or_else(|| StoreError::NotFound(format!("no workflow has the id `{id}`")))?;
            let before = record(&item)?;
            if item.optional_text("written_by") == Some(&write) {
                return Ok(before);
            }
            let version = u64::try_from(item.number("version")?).unwrap_or_default();
            let from = before.status;
            let after = before.changed(change.clone(), now())?;
            let put = ConditionalPut::at_version(item_of(&after, version + 1, &write)?, version);
            let written = if from == after.status {
                self.0.put(put).await?
            } else {
                let moved = audit_item(&after, version + 1, change.who, Some(from));
                self.0.put_together(vec![put, ConditionalPut::new(moved)]).await?
            };
            match written {
                Written::Done => return Ok(after),
                Written::Refused => pause(attempt).await,
            }
        }
        Err(contended())
    }

    async fn page(&self, query: &ListQuery) -> Result<Page, StoreError> {
        let size = query.page_size();
        let (index, partition, value) = match query.status {
            None => ("by_kind", "kind", WORKFLOW),
            Some(status) => ("by_status", "status", status.as_str()),
        };
        let mut keys = self
            .0
            .query()
            .index_name(index)
            .scan_index_forward(false)
            .limit(i32::try_from(size + 1).unwrap_or(i32::MAX))
            .expression_attribute_names("#partition", partition)
            .expression_attribute_values(":partition", AttributeValue::S(value.to_owned()));
        keys = match query.after()? {
            None => keys.key_condition_expression("#partition = :partition"),
            Some(cursor) => keys
                .key_condition_expression("#partition = :partition AND listed < :before")
                .expression_attribute_values(
                    ":before",
                    AttributeValue::S(listed(cursor.created_at, cursor.id.as_str())),
                ),
        };
        let keys: Vec<Key> = Table::run(keys, size + 1)
            .await?
            .iter()
            .map(|item| Ok(Key { pk: item.text("pk")?.to_owned(), sk: item.text("sk")?.to_owned() }))
            .collect::<Result<_, StoreError>>()?;
        let records = self.0.get_all(&keys).await?.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        let mut page = Page::of(records, size);
        // The index lags behind the table: by now a record may have moved on.
        page.records.retain(|record| query.status.is_none_or(|status| status == record.status));
        Ok(page)
    }
}

impl Records for DynamoRecords {
    fn create(&self, record: NewRecord) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.0.put_together(initial(record)?).await?;
            Ok(())
        })
    }

    fn create_once(
        &self,
        record: NewRecord,
        key: String,
        digest: String,
    ) -> BoxFuture<'_, Result<KeyClaim, StoreError>> {
        Box::pin(async move { self.claim(record, &key, &digest).await })
    }

    fn apply(&self, change: Change) -> BoxFuture<'_, Result<WorkflowRecord, StoreError>> {
        Box::pin(self.change(change))
    }

    fn get(&self, id: WorkflowId) -> BoxFuture<'_, Result<Option<WorkflowRecord>, StoreError>> {
        Box::pin(async move { self.read(&id).await })
    }

    fn list(&self, query: ListQuery) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move { self.page(&query).await })
    }

    fn audit(&self, id: WorkflowId) -> BoxFuture<'_, Result<Vec<AuditEntry>, StoreError>> {
        Box::pin(async move {
            let moves = self.0.partition(Key::workflow_partition(&id), Key::AUDITS).await?;
            moves.iter().map(audit_entry).collect()
        })
    }
}

/// The record of a new workflow and the beginning of its audit trail.
fn initial(new: NewRecord) -> Result<Vec<ConditionalPut>, StoreError> {
    let record = WorkflowRecord::initial(new, now());
    let item = item_of(&record, 0, &Uuid::new_v4().to_string())?;
    Ok(vec![ConditionalPut::new(item), ConditionalPut::new(audit_item(&record, 0, "api", None))])
}

fn item_of(record: &WorkflowRecord, version: u64, write: &str) -> Result<Item, StoreError> {
    let mut item = Item::new(&Key::record(&record.id))
        .with_text("kind", WORKFLOW)
        .with_text("listed", listed(record.created_at, record.id.as_str()))
        .with_number("version", version)
        .with_text("written_by", write)
        .with_text("workflow_id", record.id.as_str())
        .with_json("input", &record.input)?
        .with_text("status", record.status.as_str())
        .with_optional("current_step", record.current_step.as_deref())
        .with_time("created_at", record.created_at)
        .with_time("updated_at", record.updated_at)
        .with_json("steps_completed", &record.steps_completed)?
        .with_optional("comment", record.comment.as_deref())
        .with_optional("error", record.error.as_deref());
    if let Some(approval) = &record.approval {
        item = item.with_json("approval", approval)?;
    }
    if let Some(report) = &record.report {
        item = item.with_json("report", report)?;
    }
    Ok(item)
}

fn record(item: &Item) -> Result<WorkflowRecord, StoreError> {
    Ok(WorkflowRecord {
        id: WorkflowId::named(item.text("workflow_id")?),
        input: item.json("input")?,
        status: item.tagged("status")?,
        current_step: item.optional_text("current_step").map(str::to_owned),
        created_at: item.time("created_at")?,
        updated_at: item.time("updated_at")?,
        steps_completed: item.json("steps_completed")?,
        approval: item.optional_json("approval")?,
        comment: item.optional_text("comment").map(str::to_owned),
        report: item.optional_json("report")?,
        error: item.optional_text("error").map(str::to_owned),
    })
}

fn audit_item(record: &WorkflowRecord, version: u64, who: &str, from: Option<Status>) -> Item {
    let at: Timestamp = record.updated_at;
    Item::new(&Key::audit(&record.id, version))
        .with_time("at", at)
        .with_text("who", who)
        .with_optional("from_status", from.map(Status::as_str))
        .with_text("to_status", record.status.as_str())
}

fn audit_entry(item: &Item) -> Result<AuditEntry, StoreError> {
    let from = item.optional_text("from_status").map(|_| item.tagged("from_status")).transpose()?;
    Ok(AuditEntry {
        at: item.time("at")?,
        who: item.text("who")?.to_owned(),
        from,
        to: item.tagged("to_status")?,
    })
}
