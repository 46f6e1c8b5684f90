//! Domain events.

use serde_json::json;
use workflows::ports::{DomainEvent, WorkflowId};

use super::World;

pub async fn an_event_is_on_record_once(world: &World) {
    let event = |id: &str, kind: &str, detail: i64| DomainEvent {
        workflow_id: WorkflowId::named(id),
        kind: kind.to_owned(),
        detail: json!({ "detail": detail, "text": "ü" }),
    };
    world.events.emit(event("w", "workflow_started", 1)).await.unwrap();
    // The order of events is that of time, to the millisecond.
    tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    world.events.emit(event("w", "approval_requested", 2)).await.unwrap();
    world.events.emit(event("w", "workflow_started", 3)).await.unwrap();
    world.events.emit(event("v", "workflow_started", 4)).await.unwrap();
    let events = world.events.of(WorkflowId::named("w")).await.unwrap();
    assert_eq!(events, [event("w", "workflow_started", 1), event("w", "approval_requested", 2)]);
    assert!(world.events.of(WorkflowId::named("x")).await.unwrap().is_empty());
}
