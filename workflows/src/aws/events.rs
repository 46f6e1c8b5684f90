//! Domain events: on record in the table, and sent to an EventBridge bus.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};

use super::{
    Clients, Table,
    error::store_error,
    item::{Item, Key, now},
    table::ConditionalPut,
};
use crate::{
    callback::sha256,
    ports::{BoxFuture, DomainEvent, Events, StoreError, WorkflowId},
};

const WHAT: &str = "the event bus";
/// Rules match on this.
const SOURCE: &str = "durable.research";

/// Domain events on a bus.
///
/// EventBridge delivers at least once, and so do we: an event goes to the bus until the bus has said that it took it.
/// Each event has an `event_id` that is the same however often it is sent, for receivers that count.
#[derive(Clone, Debug)]
pub struct EventBridgeEvents {
    clients: Clients,
    table: Table,
    bus: Option<String>,
}

impl EventBridgeEvents {
    /// Events on `bus`, or on record only.
    #[must_use]
    pub fn new(clients: &Clients, table: Table, bus: Option<String>) -> Self {
        Self { clients: clients.clone(), table, bus }
    }

    async fn emit_once(&self, event: &DomainEvent) -> Result<(), StoreError> {
        let key = Key::event(&event.workflow_id, &event.kind);
        let item = Item::new(&key)
            .with_text("event_kind", &event.kind)
            .with_json("detail", &event.detail)?
            .with_time("at", now());
        self.table.put(ConditionalPut::new(item)).await?;
        let Some(bus) = &self.bus else { return Ok(()) };
        let recorded = self.table.get(&key).await?;
        let recorded = recorded.unwrap_or_default();
        if recorded.optional_number("sent_at").is_some() {
            return Ok(());
        }
        // What is on record is sent: the event of an attempt before this one stands.
        self.send(bus, event, recorded.json("detail")?).await?;
        let sent = self
            .table
            .update(&key)
            .update_expression("SET sent_at = :now")
            .expression_attribute_values(":now", AttributeValue::N(now().as_millis().to_string()));
        Table::send(sent).await?;
        Ok(())
    }

    async fn send(&self, bus: &str, event: &DomainEvent, detail: Value) -> Result<(), StoreError> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(bus)
            .source(SOURCE)
            .detail_type(&event.kind)
            .detail(envelope(event, detail).to_string())
            .build();
        let request = self.clients.eventbridge().put_events().entries(entry);
        let answer = request.send().await.map_err(|error| store_error(WHAT, error))?;
        if answer.failed_entry_count == 0 {
            return Ok(());
        }
        // The call succeeds even when the bus refuses its only event.
        let refused = answer.entries.unwrap_or_default().into_iter().next();
        let (code, message) =
            refused.map(|entry| (entry.error_code, entry.error_message)).unwrap_or_default();
        let detail = format!("{}: {}", code.unwrap_or_default(), message.unwrap_or_default());
        Err(StoreError::Unavailable { what: WHAT, detail })
    }
}

impl Events for EventBridgeEvents {
    fn emit(&self, event: DomainEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move { self.emit_once(&event).await })
    }

    fn of(&self, workflow_id: WorkflowId) -> BoxFuture<'_, Result<Vec<DomainEvent>, StoreError>> {
        Box::pin(async move {
            let partition = Key::workflow_partition(&workflow_id);
            let mut items = self.table.partition(partition, Key::EVENTS).await?;
            items.sort_by_key(|item| item.optional_number("at"));
            items
                .iter()
                .map(|item| {
                    Ok(DomainEvent {
                        workflow_id: workflow_id.clone(),
                        kind: item.text("event_kind")?.to_owned(),
                        detail: item.json("detail")?,
                    })
                })
                .collect()
        })
    }
}

/// What receivers get as the event's `detail`.
fn envelope(event: &DomainEvent, detail: Value) -> Value {
    let id = sha256(format!("{}/{}", event.workflow_id, event.kind).as_bytes());
    json!({ "event_id": id, "workflow_id": event.workflow_id, "detail": detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_event_has_the_same_id_however_often_it_is_sent() {
        let event = |id: &str, kind: &str| DomainEvent {
            workflow_id: WorkflowId::named(id),
            kind: kind.to_owned(),
            detail: json!({}),
        };
        let id = |event: &DomainEvent| envelope(event, json!({}))["event_id"].clone();
        assert_eq!(id(&event("a", "x")), id(&event("a", "x")));
        assert_ne!(id(&event("a", "x")), id(&event("a", "y")));
        assert_ne!(id(&event("a", "x")), id(&event("b", "x")));
    }
}
