//! What only AWS has: encryption, signed links that open, messages in topics, buses and queues, an index of tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use workflows::{
    aws::{
        Clients, DynamoCallbacks, DynamoRecords, EventBridgeEvents, S3Artifacts, SnsNotify, SqsDeadLetters,
    },
    callback::redacted,
    ports::{
        Artifacts, Callbacks, Change, DeadLetter, Delivery, DomainEvent, Events, NewCallback, Notification,
        Notify, Outcome, Records, Route, WorkflowId,
    },
    research::{Phase, Status},
};

use crate::{
    moto,
    stub::{Says, Stub},
    suite::{new_record, now},
};

fn clients() -> Clients {
    moto::clients(&moto::endpoint())
}

/// The bodies of all messages in a queue that are visible.
async fn messages(clients: &Clients, queue: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    loop {
        let request = clients.sqs().receive_message().queue_url(queue).max_number_of_messages(10);
        let answer = request.visibility_timeout(1).send().await.unwrap();
        let received = answer.messages.unwrap_or_default();
        if received.is_empty() {
            // Visible again for whoever looks next.
            tokio::time::sleep(Duration::from_millis(1_200)).await;
            return bodies;
        }
        bodies.extend(received.iter().map(|it| serde_json::from_str::<Value>(it.body().unwrap()).unwrap()));
    }
}

async fn queue_arn(clients: &Clients, queue: &str) -> String {
    let name = aws_sdk_sqs::types::QueueAttributeName::QueueArn;
    let request = clients.sqs().get_queue_attributes().queue_url(queue).attribute_names(name.clone());
    request.send().await.unwrap().attributes.unwrap().remove(&name).unwrap()
}

#[tokio::test]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn artifacts_are_encrypted_and_typed_and_their_links_open() {
    let clients = clients();
    let bucket = moto::bucket(&clients).await;
    let store = S3Artifacts::new(&clients, &bucket);
    for (key, size) in [("w/small.json", 10), ("w/large.json", 6 * 1024 * 1024)] {
        let content = vec![b'x'; size];
        let reference = store.put(key.to_owned(), content.clone()).await.unwrap();
        let head = clients.s3().head_object().bucket(&bucket).key(key).send().await.unwrap();
        assert_eq!(head.server_side_encryption.unwrap().as_str(), "AES256", "{key}");
        assert_eq!(head.content_type.unwrap(), "application/json", "{key}");

        let url = store.presign(reference, Duration::from_secs(60)).await.unwrap();
        assert!(url.contains("X-Amz-Signature=") && url.contains("X-Amz-Expires=60"), "{url}");
        let opened = reqwest::get(&url).await.unwrap();
        assert_eq!(opened.status(), 200);
        assert_eq!(opened.headers()["content-type"], "application/json");
        assert!(opened.bytes().await.unwrap() == content, "{key}");
    }
    let uploads = clients.s3().list_multipart_uploads().bucket(&bucket).send().await.unwrap();
    assert!(uploads.uploads.unwrap_or_default().is_empty(), "no upload is left open");

    let week = Duration::from_secs(7 * 24 * 60 * 60);
    let reference = store.put("x".to_owned(), Vec::new()).await.unwrap();
    for valid_for in [week, week * 2] {
        let url = store.presign(reference.clone(), valid_for).await.unwrap();
        assert!(url.contains("X-Amz-Expires=604800"), "a week is the longest: {url}");
    }
}

#[tokio::test]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn an_upload_that_fails_leaves_nothing_behind() {
    let clients = clients();
    let bucket = moto::bucket(&clients).await;
    let missing = S3Artifacts::new(&clients, "no-such-bucket");
    let error = missing.put("w/large.json".to_owned(), vec![0; 6 * 1024 * 1024]).await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
    let uploads = clients.s3().list_multipart_uploads().bucket(&bucket).send().await.unwrap();
    assert!(uploads.uploads.unwrap_or_default().is_empty());
}

#[tokio::test]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn a_notification_reaches_those_who_subscribed() {
    let clients = clients();
    let queue = moto::queue(&clients).await;
    let topic = clients.sns().create_topic().name("reviews").send().await.unwrap().topic_arn.unwrap();
    let endpoint = queue_arn(&clients, &queue).await;
    clients.sns().subscribe().topic_arn(&topic).protocol("sqs").endpoint(endpoint).send().await.unwrap();
    let notification = Notification {
        workflow_id: WorkflowId::named("w"),
        subject: format!("Approval needed: {}", "Ü".repeat(500)),
        message: "Read the analysis of \"Übersicht\".".to_owned(),
        review_url: "https://bucket.example/w/analysis.json?X-Amz-Signature=1&a=b".to_owned(),
    };
    SnsNotify::new(&clients, Some(topic)).send(notification.clone()).await.unwrap();
    SnsNotify::new(&clients, None).send(notification.clone()).await.unwrap();
    let messages = messages(&clients, &queue).await;
    assert_eq!(messages.len(), 1, "without a topic nobody is told");
    let text = messages[0]["Message"].as_str().unwrap();
    assert!(text.contains(&notification.message) && text.contains(&notification.review_url), "{text}");
    assert_eq!(messages[0]["MessageAttributes"]["workflow_id"]["Value"], "w");
}

#[tokio::test]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn an_event_goes_to_the_bus_once() {
    let clients = clients();
    let (table, _) = moto::table(&clients).await;
    let queue = moto::queue(&clients).await;
    let bus = format!("bus-{}", uuid::Uuid::new_v4());
    let buses = clients.eventbridge();
    buses.create_event_bus().name(&bus).send().await.unwrap();
    let pattern = json!({ "source": ["durable.research"] }).to_string();
    buses.put_rule().name(&bus).event_bus_name(&bus).event_pattern(pattern).send().await.unwrap();
    let target =
        aws_sdk_eventbridge::types::Target::builder().id("queue").arn(queue_arn(&clients, &queue).await);
    let targets = buses.put_targets().rule(&bus).event_bus_name(&bus).targets(target.build().unwrap());
    targets.send().await.unwrap();

    let events = EventBridgeEvents::new(&clients, table, Some(bus));
    let event = |detail: i64| DomainEvent {
        workflow_id: WorkflowId::named("w"),
        kind: "workflow_completed".to_owned(),
        detail: json!({ "words": detail }),
    };
    for detail in [1, 2] {
        events.emit(event(detail)).await.unwrap();
    }
    let sent = messages(&clients, &queue).await;
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0]["detail-type"], "workflow_completed");
    let detail = &sent[0]["detail"];
    assert_eq!((&detail["workflow_id"], &detail["detail"]), (&json!("w"), &json!({ "words": 1 })));
    assert_eq!(detail["event_id"].as_str().unwrap().len(), 64);
}

/// PutEvents succeeds also when the bus takes none of the events.
#[tokio::test]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn an_event_that_the_bus_did_not_take_is_sent_again() {
    let (table, _) = moto::table(&clients()).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let bus = Stub::start(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => {
            Says::body(200, json!({ "FailedEntryCount": 1, "Entries": [{ "ErrorCode": "InternalFailure" }] }))
        }
        _ => Says::body(200, json!({ "FailedEntryCount": 0, "Entries": [{ "EventId": "1" }] })),
    })
    .await;
    let events = EventBridgeEvents::new(&moto::clients(&bus.url), table, Some("bus".to_owned()));
    let event =
        DomainEvent { workflow_id: WorkflowId::named("w"), kind: "k".to_owned(), detail: json!({ "a": 1 }) };
    let error = events.emit(event.clone()).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(error.to_string().contains("InternalFailure"), "{error}");
    for _ in 0..2 {
        events.emit(event.clone()).await.unwrap();
    }
    let asked = bus.asked();
    assert_eq!(asked.len(), 2, "once it is taken it is not sent again");
    assert_eq!(asked[0].json()["Entries"], asked[1].json()["Entries"], "the same event under the same id");
    assert_eq!(events.of(event.workflow_id.clone()).await.unwrap(), [event]);
}

#[tokio::test]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn a_dead_letter_shows_in_the_queue_until_it_is_redriven() {
    let clients = clients();
    let (table, _) = moto::table(&clients).await;
    let queue = moto::queue(&clients).await;
    let callbacks = DynamoCallbacks::new(table, Some(SqsDeadLetters::new(&clients, &queue)));
    for id in ["l-1", "l-2", "l-3"] {
        let letter = DeadLetter {
            id: id.to_owned(),
            token: "the-secret-token".to_owned(),
            reason: "down".to_owned(),
            at: now(),
            redriven_at: None,
        };
        callbacks.bury(letter).await.unwrap();
    }
    let shown = messages(&clients, &queue).await;
    assert_eq!(shown.len(), 3);
    assert!(shown.iter().all(|it| it["token"] == redacted("the-secret-token") && it["reason"] == "down"));
    callbacks.redriven("l-2".to_owned()).await.unwrap();
    let ids: Vec<_> = messages(&clients, &queue).await.iter().map(|it| it["id"].clone()).collect();
    assert!(ids.len() == 2 && !ids.contains(&json!("l-2")), "{ids:?}");
}

#[tokio::test]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn a_token_as_logs_show_it_leads_to_its_workflow() {
    let clients = clients();
    let (table, _) = moto::table(&clients).await;
    let callbacks = DynamoCallbacks::new(table, None);
    let route = Route { workflow_id: WorkflowId::named("w"), phase: Phase::Analysis };
    callbacks.register("the-secret-token".to_owned(), route.clone()).await.unwrap();
    assert_eq!(callbacks.routes_by_redacted(&redacted("the-secret-token")).await.unwrap(), [route]);
    assert!(callbacks.routes_by_redacted(&redacted("another")).await.unwrap().is_empty());
}

/// What DynamoDB removes by itself, and that no token is a key.
#[tokio::test]
#[ignore = "needs a moto server: see tests/aws/main.rs"]
async fn items_have_the_shape_that_the_table_is_documented_with() {
    let clients = clients();
    let (table, name) = moto::table(&clients).await;
    let (records, callbacks) = (DynamoRecords::new(table.clone()), DynamoCallbacks::new(table, None));
    let (token, id) = ("the-secret-token", WorkflowId::named("w"));
    records.create_once(new_record("w"), "key".to_owned(), "digest".to_owned()).await.unwrap();
    records.apply(Change::of(&id, "t").to(Status::Running)).await.unwrap();
    let route = Route { workflow_id: id, phase: Phase::Research };
    callbacks.register(token.to_owned(), route).await.unwrap();
    let expires_at = now().after(Duration::from_secs(1_000));
    let callback = NewCallback {
        token: token.to_owned(),
        outcome: Outcome::Success { result: json!(1) },
        digest: "digest".to_owned(),
        expires_at,
    };
    callbacks.store(callback).await.unwrap();
    callbacks.mark(token.to_owned(), Delivery::Delivered).await.unwrap();

    let items = clients.dynamodb().scan().table_name(&name).send().await.unwrap().items.unwrap();
    let text = |item: &std::collections::HashMap<String, AttributeValue>, name: &str| {
        item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
    };
    let mut keys: Vec<_> =
        items.iter().map(|item| format!("{} {}", text(item, "pk"), text(item, "sk"))).collect();
    keys.sort();
    let hash = workflows::callback::sha256(token.as_bytes());
    let key = workflows::callback::sha256(b"key");
    assert_eq!(
        keys,
        [
            format!("KEY#{key} CLAIM"),
            format!("TOKEN#{hash} RESULT"),
            format!("TOKEN#{hash} ROUTE"),
            "WORKFLOW#w AUDIT#0000000000".to_owned(),
            "WORKFLOW#w AUDIT#0000000001".to_owned(),
            "WORKFLOW#w RECORD".to_owned(),
        ]
    );
    let result = items.iter().find(|item| text(item, "sk") == "RESULT").unwrap();
    let expected = (expires_at.as_millis() / 1000).to_string();
    assert_eq!(result["expires_at"], AttributeValue::N(expected), "time to live counts in seconds");
    assert!(items.iter().all(|item| !format!("{item:?}").contains(token)), "no item shows the token");
}
