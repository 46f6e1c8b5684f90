//! The table: reads that are up to date, conditional writes, transactions.

use std::{collections::HashMap, error::Error, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{
        put_item::PutItemError, query::builders::QueryFluentBuilder,
        transact_write_items::TransactWriteItemsError, update_item::UpdateItemError,
        update_item::builders::UpdateItemFluentBuilder,
    },
    types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem},
};
use uuid::Uuid;

use super::{
    Clients,
    error::store_error,
    item::{Attributes, Item, Key, now},
};
use crate::ports::StoreError;

pub(super) const WHAT: &str = "the workflow table";
/// How many keys BatchGetItem takes.
const LARGEST_BATCH: usize = 100;
/// How often a write is tried that others come in between of.
pub(super) const WRITE_ATTEMPTS: u32 = 10;

/// Why a transaction is cancelled that may succeed a moment later.
const PASSING: [&str; 3] = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];

/// A handle on the table; clones share its client.
#[derive(Clone, Debug)]
pub struct Table {
    clients: Clients,
    name: String,
}

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It was done.
    Done,
    /// The condition does not hold; nothing was changed.
    Refused,
}

/// An item to put, with the condition under which.
#[derive(Debug)]
pub(super) struct ConditionalPut {
    item: Item,
    condition: &'static str,
    values: Attributes,
}

impl ConditionalPut {
    /// Only when there is no item with this key.
    pub(super) fn new(item: Item) -> Self {
        Self { item, condition: "attribute_not_exists(pk)", values: HashMap::new() }
    }

    /// Only when there is no item with this key whose time is not over.
    pub(super) fn unless_live(item: Item) -> Self {
        let now = AttributeValue::N(super::item::seconds(now()).to_string());
        Self {
            item,
            condition: "attribute_not_exists(pk) OR expires_at <= :now",
            values: HashMap::from([(":now".to_owned(), now)]),
        }
    }

    /// Only when the item is still at this version.
    pub(super) fn at_version(item: Item, version: u64) -> Self {
        let version = AttributeValue::N(version.to_string());
        Self {
            item,
            condition: "version = :version",
            values: HashMap::from([(":version".to_owned(), version)]),
        }
    }
}

impl Table {
    /// The table `name`.
    #[must_use]
    pub fn new(clients: &Clients, name: &str) -> Self {
        Self { clients: clients.clone(), name: name.to_owned() }
    }

    fn client(&self) -> &Client {
        self.clients.dynamodb()
    }

    /// One item as it is now.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let request = self.client().get_item().table_name(&self.name).set_key(Some(key.attributes()));
        let answer = request.consistent_read(true).send().await.map_err(unavailable)?;
        Ok(answer.item.map(Item::read).filter(|item| !item.is_expired(now())))
    }

    /// Items as they are now, in the order of their keys; those that don't exist are left out.
    pub(super) async fn get_all(&self, keys: &[Key]) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::with_capacity(keys.len());
        for batch in keys.chunks(LARGEST_BATCH) {
            self.get_batch(batch, &mut items).await?;
        }
        let position = |item: &Item| keys.iter().position(|key| item.has_key(key));
        items.sort_by_cached_key(position);
        Ok(items)
    }

    async fn get_batch(&self, keys: &[Key], items: &mut Vec<Item>) -> Result<(), StoreError> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.iter().map(Key::attributes).collect()))
            .consistent_read(true)
            .build()
            .expect("keys are set");
        let mut wanted = HashMap::from([(self.name.clone(), wanted)]);
        for attempt in 0..WRITE_ATTEMPTS {
            let request = self.client().batch_get_item().set_request_items(Some(wanted));
            let answer = request.send().await.map_err(unavailable)?;
            let found = answer.responses.unwrap_or_default().remove(&self.name).unwrap_or_default();
            items.extend(found.into_iter().map(Item::read).filter(|item| !item.is_expired(now())));
            wanted = answer.unprocessed_keys.unwrap_or_default();
            if wanted.is_empty() {
                return Ok(());
            }
            pause(attempt).await;
        }
        let detail = "a batch was not read to its end, again and again".to_owned();
        Err(StoreError::Unavailable { what: WHAT, detail })
    }

    /// The items of a partition whose sort keys begin with `prefix`, in their order, up to date.
    pub(super) async fn partition(&self, pk: String, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let query = self
            .query()
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", AttributeValue::S(pk))
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
            .consistent_read(true);
        let mut items = Self::run(query, usize::MAX).await?;
        items.retain(|item| !item.is_expired(now()));
        Ok(items)
    }

    pub(super) fn query(&self) -> QueryFluentBuilder {
        self.client().query().table_name(&self.name)
    }

    /// Runs a query over its pages until there are `enough` items.
    pub(super) async fn run(query: QueryFluentBuilder, enough: usize) -> Result<Vec<Item>, StoreError> {
        let (mut items, mut from) = (Vec::new(), None);
        loop {
            let page = query.clone().set_exclusive_start_key(from).send().await.map_err(unavailable)?;
            items.extend(page.items.unwrap_or_default().into_iter().map(Item::read));
            from = page.last_evaluated_key;
            if from.is_none() || items.len() >= enough {
                items.truncate(enough);
                return Ok(items);
            }
        }
    }

    pub(super) async fn put(&self, put: ConditionalPut) -> Result<Written, StoreError> {
        let ConditionalPut { item, condition, values } = put;
        let request = self
            .client()
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item.into_attributes()))
            .condition_expression(condition)
            .set_expression_attribute_values((!values.is_empty()).then_some(values));
        for attempt in 0..WRITE_ATTEMPTS {
            let error = match request.clone().send().await {
                Ok(_) => return Ok(Written::Done),
                Err(error) => error,
            };
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => return Ok(Written::Refused),
                Some(PutItemError::TransactionConflictException(_)) => pause(attempt).await,
                _ => return Err(unavailable(error)),
            }
        }
        Err(contended())
    }

    /// Several puts, all or none.
    pub(super) async fn put_together(&self, puts: Vec<ConditionalPut>) -> Result<Written, StoreError> {
        let items: Vec<_> = puts.into_iter().map(|put| self.transacted(put)).collect();
        // The same on each attempt: DynamoDB then knows a transaction whose answer was lost.
        let token = Uuid::new_v4().to_string();
        for attempt in 0..WRITE_ATTEMPTS {
            let request = self
                .client()
                .transact_write_items()
                .set_transact_items(Some(items.clone()))
                .client_request_token(&token);
            let error = match request.send().await {
                Ok(_) => return Ok(Written::Done),
                Err(error) => error,
            };
            match cancellation(&error) {
                Cancellation::Condition => return Ok(Written::Refused),
                Cancellation::Contention => pause(attempt).await,
                Cancellation::None => return Err(unavailable(error)),
            }
        }
        Err(contended())
    }

    fn transacted(&self, put: ConditionalPut) -> TransactWriteItem {
        let ConditionalPut { item, condition, values } = put;
        let put = Put::builder()
            .table_name(&self.name)
            .set_item(Some(item.into_attributes()))
            .condition_expression(condition)
            .set_expression_attribute_values((!values.is_empty()).then_some(values))
            .build()
            .expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }

    /// Begins an update of an item that exists.
    pub(super) fn update(&self, key: &Key) -> UpdateItemFluentBuilder {
        self.client()
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_exists(pk)")
    }

    pub(super) async fn send(update: UpdateItemFluentBuilder) -> Result<Written, StoreError> {
        let error = match update.send().await {
            Ok(_) => return Ok(Written::Done),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Written::Refused),
            _ => Err(unavailable(error)),
        }
    }
}

/// Waits before another attempt: longer each time, by chance, so that writers who met once don't meet again.
pub(super) async fn pause(attempt: u32) {
    let [chance, ..] = *Uuid::new_v4().as_bytes();
    let longest = 20_u64 << attempt.min(5);
    tokio::time::sleep(Duration::from_millis(longest * u64::from(chance) / 255)).await;
}

pub(super) fn contended() -> StoreError {
    let detail = "others changed the same item first, again and again".to_owned();
    StoreError::Unavailable { what: WHAT, detail }
}

enum Cancellation {
    /// A condition does not hold.
    Condition,
    /// Another transaction was at one of the items, or there was no capacity.
    Contention,
    /// It was not cancelled: something else went wrong.
    None,
}

fn cancellation(error: &SdkError<TransactWriteItemsError>) -> Cancellation {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let mut codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            if codes.clone().any(|code| code == "ConditionalCheckFailed") {
                Cancellation::Condition
            } else if codes.any(|code| PASSING.contains(&code)) {
                Cancellation::Contention
            } else {
                Cancellation::None
            }
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => Cancellation::Contention,
        _ => Cancellation::None,
    }
}

fn unavailable<E>(error: SdkError<E>) -> StoreError
where
    E: aws_sdk_dynamodb::error::ProvideErrorMetadata + Error + 'static,
{
    store_error(WHAT, error)
}
