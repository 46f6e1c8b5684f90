//! Callback results, their history and the dead letters in the table.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use durable_runtime::protocol::Timestamp;

use super::{
    SqsDeadLetters, Table,
    item::{DEAD_LETTER, Item, Key, listed, now, seconds},
    table::{ConditionalPut, Written},
};
use crate::{
    callback::{RETENTION, redacted},
    ports::{
        BoxFuture, Callbacks, DeadLetter, Delivery, HistoryEntry, NewCallback, Route, StoreError, Stored,
        StoredCallback, WorkflowId,
    },
};

/// A year, in which an approval may stay open, and a day for good measure.
const LONGEST_WORKFLOW: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// DynamoDB takes items of 400 KB; this leaves room for the other attributes.
const LARGEST_OUTCOME: usize = 380 * 1000;

/// Callback results, who waits for them, and what became of them.
#[derive(Clone, Debug)]
pub struct DynamoCallbacks {
    table: Table,
    queue: Option<SqsDeadLetters>,
}

impl DynamoCallbacks {
    /// Results in `table`; dead letters are also shown in `queue`, if there is one.
    #[must_use]
    pub fn new(table: Table, queue: Option<SqsDeadLetters>) -> Self {
        Self { table, queue }
    }

    /// Who waits for a token of which only the form is known that log lines show. Asks an index, so that a token
    /// registered a moment ago may be missing.
    ///
    /// # Errors
    ///
    /// The table can't be used.
    pub async fn routes_by_redacted(&self, redacted: &str) -> Result<Vec<Route>, StoreError> {
        let query = self
            .table
            .query()
            .index_name("by_token")
            .key_condition_expression("#token = :token")
            .expression_attribute_names("#token", "token")
            .expression_attribute_values(":token", AttributeValue::S(redacted.to_owned()));
        Table::run(query, usize::MAX).await?.iter().map(route).collect()
    }

    async fn open_letters(&self) -> Result<Vec<DeadLetter>, StoreError> {
        let query = self
            .table
            .query()
            .index_name("by_kind")
            .key_condition_expression("kind = :kind")
            .expression_attribute_values(":kind", AttributeValue::S(DEAD_LETTER.to_owned()));
        let keys: Vec<Key> = Table::run(query, usize::MAX)
            .await?
            .iter()
            .map(|item| Ok(Key { pk: item.text("pk")?.to_owned(), sk: item.text("sk")?.to_owned() }))
            .collect::<Result<_, StoreError>>()?;
        let letters = self.table.get_all(&keys).await?;
        // The index lags behind the table: by now a letter may be redriven.
        letters.iter().filter(|item| item.optional_number("redriven_at").is_none()).map(letter).collect()
    }
}

impl Callbacks for DynamoCallbacks {
    fn register(&self, token: String, route: Route) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let item = Item::new(&Key::route(&token))
                .with_text("token", redacted(&token))
                .with_text("workflow_id", route.workflow_id.as_str())
                .with_tag("phase", &route.phase)?
                .expiring(now().after(LONGEST_WORKFLOW + RETENTION));
            // One that is there already is the same one, from an attempt before.
            self.table.put(ConditionalPut::new(item)).await?;
            Ok(())
        })
    }

    fn route(&self, token: String) -> BoxFuture<'_, Result<Option<Route>, StoreError>> {
        Box::pin(async move { self.table.get(&Key::route(&token)).await?.as_ref().map(route).transpose() })
    }

    fn store(&self, callback: NewCallback) -> BoxFuture<'_, Result<Stored, StoreError>> {
        Box::pin(async move {
            let key = Key::result(&callback.token);
            let outcome = serde_json::to_string(&callback.outcome)?;
            if outcome.len() > LARGEST_OUTCOME {
                let detail = format!("an outcome of {} bytes does not fit into an item", outcome.len());
                return Err(StoreError::Refused { what: super::table::WHAT, detail });
            }
            let item = Item::new(&key)
                .with_text("outcome", outcome)
                .with_text("digest", &callback.digest)
                .with_tag("delivery", &Delivery::Pending)?
                .with_time("at", now())
                .expiring(callback.expires_at);
            if self.table.put(ConditionalPut::unless_live(item)).await? == Written::Done {
                return Ok(Stored::New);
            }
            let Some(before) = self.table.get(&key).await? else {
                let detail = "a result expired while it was compared".to_owned();
                return Err(StoreError::Unavailable { what: super::table::WHAT, detail });
            };
            Ok(if before.text("digest")? == callback.digest {
                Stored::Repeated(before.tagged("delivery")?)
            } else {
                Stored::Contradicts
            })
        })
    }

    fn stored(&self, token: String) -> BoxFuture<'_, Result<Option<StoredCallback>, StoreError>> {
        Box::pin(async move {
            let Some(item) = self.table.get(&Key::result(&token)).await? else { return Ok(None) };
            let (outcome, delivery) = (item.json("outcome")?, item.tagged("delivery")?);
            Ok(Some(StoredCallback { token, outcome, delivery }))
        })
    }

    fn mark(&self, token: String, delivery: Delivery) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let delivery = Item::default().with_tag("delivery", &delivery)?.text("delivery")?.to_owned();
            let update = self
                .table
                .update(&Key::result(&token))
                .update_expression("SET delivery = :delivery")
                .expression_attribute_values(":delivery", AttributeValue::S(delivery));
            Table::send(update).await?;
            Ok(())
        })
    }

    fn append_history(&self, entry: HistoryEntry) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let id = entry.workflow_id.as_ref();
            let kept = if id.is_some() { LONGEST_WORKFLOW + RETENTION } else { RETENTION };
            let item = Item::new(&Key::history(id, entry.at, &entry.request_id))
                .with_json("entry", &entry)?
                .expiring(entry.at.after(kept));
            self.table.put(ConditionalPut::new(item)).await?;
            Ok(())
        })
    }

    fn history(&self, workflow_id: WorkflowId) -> BoxFuture<'_, Result<Vec<HistoryEntry>, StoreError>> {
        Box::pin(async move {
            let partition = Key::workflow_partition(&workflow_id);
            let lines = self.table.partition(partition, Key::HISTORY).await?;
            lines.iter().map(|item| item.json("entry")).collect()
        })
    }

    fn bury(&self, letter: DeadLetter) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let item = Item::new(&Key::letter(&letter.id))
                .with_text("kind", DEAD_LETTER)
                .with_text("listed", listed(letter.at, &letter.id))
                .with_text("id", &letter.id)
                .with_text("callback_token", &letter.token)
                .with_text("reason", &letter.reason)
                .with_time("at", letter.at);
            self.table.put(ConditionalPut::new(item)).await?;
            match &self.queue {
                Some(queue) => queue.show(&letter).await,
                None => Ok(()),
            }
        })
    }

    fn dead_letters(&self) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(self.open_letters())
    }

    fn redriven(&self, id: String) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let now = now();
            let update = self
                .table
                .update(&Key::letter(&id))
                .update_expression(
                    "SET redriven_at = if_not_exists(redriven_at, :now), expires_at = :expires REMOVE kind, listed",
                )
                .expression_attribute_values(":now", AttributeValue::N(now.as_millis().to_string()))
                .expression_attribute_values(
                    ":expires",
                    AttributeValue::N(seconds(now.after(RETENTION)).to_string()),
                );
            Table::send(update).await?;
            if let Some(queue) = &self.queue {
                queue.clear(&id).await;
            }
            Ok(())
        })
    }

    /// DynamoDB itself removes what has expired, by the attribute `expires_at`; there is nothing left to do.
    fn purge_expired(&self, _now: Timestamp) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(std::future::ready(Ok(0)))
    }
}

fn route(item: &Item) -> Result<Route, StoreError> {
    Ok(Route { workflow_id: WorkflowId::named(item.text("workflow_id")?), phase: item.tagged("phase")? })
}

fn letter(item: &Item) -> Result<DeadLetter, StoreError> {
    Ok(DeadLetter {
        id: item.text("id")?.to_owned(),
        token: item.text("callback_token")?.to_owned(),
        reason: item.text("reason")?.to_owned(),
        at: item.time("at")?,
        redriven_at: None,
    })
}
