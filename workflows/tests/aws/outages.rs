//! Services that can't be reached, or that refuse: what is tried again and what is not.

use std::time::{Duration, Instant};

use serde_json::json;
use workflows::{
    aws::{DynamoCallbacks, DynamoRecords, EventBridgeEvents, S3Artifacts, SnsNotify, Table},
    ports::{
        Artifacts, Callbacks, Change, DomainEvent, Events, Notification, Notify, Records, StoreError,
        WorkflowId,
    },
    research::Status,
};

use crate::{
    moto::clients,
    stub::{Says, Stub},
    suite::new_record,
};

/// The error of each store at `url`.
async fn errors(url: &str) -> Vec<StoreError> {
    let clients = clients(url);
    let table = Table::new(&clients, "workflows");
    let id = WorkflowId::named("w");
    let (records, callbacks) = (DynamoRecords::new(table.clone()), DynamoCallbacks::new(table.clone(), None));
    let event = DomainEvent { workflow_id: id.clone(), kind: "k".to_owned(), detail: json!({}) };
    vec![
        records.create(new_record("w")).await.unwrap_err(),
        records.apply(Change::of(&id, "t").to(Status::Running)).await.unwrap_err(),
        callbacks.stored("t".to_owned()).await.unwrap_err(),
        S3Artifacts::new(&clients, "bucket").put("k".to_owned(), vec![1]).await.unwrap_err(),
        EventBridgeEvents::new(&clients, table, Some("bus".to_owned())).emit(event).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn a_service_that_nobody_reaches_may_be_back_later() {
    let stub = Stub::start(|_| Says::body(200, "")).await;
    let url = stub.url.clone();
    drop(stub);
    let begun = Instant::now();
    for error in errors(&url).await {
        assert!(error.is_transient(), "{error:?}");
        assert!(error.public_message().ends_with("is not available"), "{}", error.public_message());
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "the steps that retry have their limits, too");
}

#[tokio::test]
async fn a_service_that_refuses_will_refuse_again() {
    let stub = Stub::start(|_| Says::exception(403, "AccessDeniedException")).await;
    for error in errors(&stub.url).await {
        assert!(!error.is_transient(), "{error:?}");
        let message = error.public_message();
        assert!(message.ends_with("refused the request"), "{message}");
        assert!(!message.contains("arn:"), "nothing internal in `{message}`");
        assert!(error.to_string().contains("status 403"), "the log has more: {error}");
    }
}

#[tokio::test]
async fn a_reviewer_who_can_not_be_told_is_no_secret() {
    let stub = Stub::start(|_| Says::exception(403, "AuthorizationError")).await;
    let topic = "arn:aws:sns:eu-west-1:123456789012:reviews".to_owned();
    let notify = SnsNotify::new(&clients(&stub.url), Some(topic));
    let notification = Notification {
        workflow_id: WorkflowId::named("w"),
        subject: "s".to_owned(),
        message: "m".to_owned(),
        review_url: "https://signed".to_owned(),
    };
    let message = notify.send(notification).await.unwrap_err();
    assert_eq!(message, "the notification topic refused the notification");
}
