//! Callback results, history and dead letters.

use std::time::Duration;

use durable_runtime::protocol::Timestamp;
use serde_json::{Value, json};
use workflows::{
    callback::{RETENTION, redacted},
    ports::{DeadLetter, Delivery, HistoryEntry, NewCallback, Outcome, Route, Stored, WorkflowId},
    research::Phase,
};

use super::{World, new_record, now};

fn callback(token: &str, result: Value, digest: &str) -> NewCallback {
    NewCallback {
        token: token.to_owned(),
        outcome: Outcome::Success { result },
        digest: digest.to_owned(),
        expires_at: now().after(RETENTION),
    }
}

pub async fn a_token_leads_to_its_workflow(world: &World) {
    for (token, id, phase) in [("t-1", "w-1", Phase::Research), ("t-2", "w-1", Phase::Writing)] {
        let route = Route { workflow_id: WorkflowId::named(id), phase };
        world.callbacks.register(token.to_owned(), route.clone()).await.unwrap();
        world.callbacks.register(token.to_owned(), route.clone()).await.unwrap();
        assert_eq!(world.callbacks.route(token.to_owned()).await.unwrap(), Some(route));
    }
    assert_eq!(world.callbacks.route("t-3".to_owned()).await.unwrap(), None);
}

pub async fn the_first_outcome_stands(world: &World) {
    let first = callback("t", json!({ "a": [1, "ü", null] }), "one");
    assert_eq!(world.callbacks.store(first.clone()).await.unwrap(), Stored::New);
    assert_eq!(world.callbacks.store(first.clone()).await.unwrap(), Stored::Repeated(Delivery::Pending));
    let other = callback("t", json!(2), "two");
    assert_eq!(world.callbacks.store(other).await.unwrap(), Stored::Contradicts);
    let stored = world.callbacks.stored("t".to_owned()).await.unwrap().unwrap();
    assert_eq!(
        (stored.token.as_str(), stored.outcome, stored.delivery),
        ("t", first.outcome, Delivery::Pending)
    );
    assert_eq!(world.callbacks.stored("u".to_owned()).await.unwrap(), None);

    let outcome = Outcome::Failure { error_type: None, message: "no".to_owned() };
    let failure = NewCallback { outcome: outcome.clone(), ..callback("f", Value::Null, "three") };
    world.callbacks.store(failure).await.unwrap();
    assert_eq!(world.callbacks.stored("f".to_owned()).await.unwrap().unwrap().outcome, outcome);
}

pub async fn one_of_many_outcomes_wins(world: &World) {
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..6 {
        let callbacks = world.callbacks.clone();
        let digest = format!("digest-{number}");
        senders.spawn(async move {
            (number, callbacks.store(callback("t", json!(number), &digest)).await.unwrap())
        });
    }
    let mut winners = Vec::new();
    while let Some(ended) = senders.join_next().await {
        match ended.unwrap() {
            (number, Stored::New) => winners.push(number),
            (_, found) => assert_eq!(found, Stored::Contradicts),
        }
    }
    assert_eq!(winners.len(), 1);
    let stored = world.callbacks.stored("t".to_owned()).await.unwrap().unwrap();
    assert_eq!(stored.outcome, Outcome::Success { result: json!(winners[0]) });
}

pub async fn large_outcomes_are_kept_whole(world: &World) {
    // The largest that is kept inline, and characters that take more than one byte.
    let text = "ü".repeat(workflows::ports::INLINE_LIMIT / 2 - 10);
    let large = callback("t", json!(text), "one");
    world.callbacks.store(large.clone()).await.unwrap();
    assert_eq!(world.callbacks.stored("t".to_owned()).await.unwrap().unwrap().outcome, large.outcome);
}

pub async fn expired_results_are_gone(world: &World) {
    let expired = NewCallback {
        expires_at: Timestamp::from_millis(now().as_millis() - 5_000),
        ..callback("t", json!(1), "one")
    };
    world.callbacks.store(expired).await.unwrap();
    world.callbacks.store(callback("live", json!(1), "one")).await.unwrap();
    world.callbacks.purge_expired(now()).await.unwrap();
    assert_eq!(world.callbacks.stored("t".to_owned()).await.unwrap(), None);
    assert!(world.callbacks.stored("live".to_owned()).await.unwrap().is_some());
    let another = callback("t", json!(2), "two");
    assert_eq!(world.callbacks.store(another).await.unwrap(), Stored::New, "nothing stands against it");
}

pub async fn delivery_is_noted(world: &World) {
    world.callbacks.store(callback("t", json!(1), "one")).await.unwrap();
    for delivery in [Delivery::DeadLettered, Delivery::Unknown, Delivery::Expired, Delivery::Delivered] {
        world.callbacks.mark("t".to_owned(), delivery).await.unwrap();
        assert_eq!(world.callbacks.stored("t".to_owned()).await.unwrap().unwrap().delivery, delivery);
        let again = world.callbacks.store(callback("t", json!(1), "one")).await.unwrap();
        assert_eq!(again, Stored::Repeated(delivery));
    }
    world.callbacks.mark("nobody".to_owned(), Delivery::Delivered).await.unwrap();
    assert_eq!(world.callbacks.stored("nobody".to_owned()).await.unwrap(), None, "marking makes no result");
}

pub async fn history_has_one_line_for_a_request(world: &World) {
    world.records.create(new_record("w")).await.unwrap();
    let at = now();
    let line = |request: &str, id: Option<&str>, seconds: u64| HistoryEntry {
        request_id: request.to_owned(),
        token: redacted(request),
        workflow_id: id.map(WorkflowId::named),
        status: "SUCCESS".to_owned(),
        answer: "callback_delivered".to_owned(),
        at: at.after(Duration::from_secs(seconds)),
    };
    let lines = [line("r-2", Some("w"), 0), line("r-1", Some("w"), 1), line("r-3", Some("w"), 2)];
    for entry in lines.iter().chain([&line("r-4", Some("v"), 0), &line("r-5", None, 0)]) {
        world.callbacks.append_history(entry.clone()).await.unwrap();
        world.callbacks.append_history(entry.clone()).await.unwrap();
    }
    assert_eq!(world.callbacks.history(WorkflowId::named("w")).await.unwrap(), lines, "oldest first");
    assert!(world.callbacks.history(WorkflowId::named("x")).await.unwrap().is_empty());
}

pub async fn a_dead_letter_is_open_until_it_is_redriven(world: &World) {
    let at = now();
    let letter = |id: &str, seconds: u64| DeadLetter {
        id: id.to_owned(),
        token: format!("token-{id}"),
        reason: "the service is down".to_owned(),
        at: at.after(Duration::from_secs(seconds)),
        redriven_at: None,
    };
    let letters = [letter("l-3", 0), letter("l-1", 1), letter("l-2", 2)];
    for letter in &letters {
        world.callbacks.bury(letter.clone()).await.unwrap();
        world.callbacks.bury(letter.clone()).await.unwrap();
    }
    assert_eq!(world.callbacks.dead_letters().await.unwrap(), letters, "oldest first");
    for _ in 0..2 {
        world.callbacks.redriven("l-1".to_owned()).await.unwrap();
    }
    world.callbacks.redriven("nobody".to_owned()).await.unwrap();
    let open = world.callbacks.dead_letters().await.unwrap();
    assert_eq!(open, [letters[0].clone(), letters[2].clone()]);
    world.callbacks.bury(letters[1].clone()).await.unwrap();
    let open = world.callbacks.dead_letters().await.unwrap();
    assert_eq!(open.len(), 2, "a step that is repeated digs up nothing");
}

pub async fn odd_tokens_are_tokens(world: &World) {
    let tokens = [
        "🦀".repeat(1024),
        "a".repeat(1024),
        " a#b/..?%00\"'\\\n".to_owned(),
        "a ".to_owned(),
        "a".to_owned(),
    ];
    for (number, token) in tokens.iter().enumerate() {
        let route = Route { workflow_id: WorkflowId::named(format!("w-{number}")), phase: Phase::Analysis };
        world.callbacks.register(token.clone(), route).await.unwrap();
        world.callbacks.store(callback(token, json!(number), "digest")).await.unwrap();
    }
    for (number, token) in tokens.iter().enumerate() {
        let route = world.callbacks.route(token.clone()).await.unwrap().unwrap();
        assert_eq!(route.workflow_id, WorkflowId::named(format!("w-{number}")));
        let stored = world.callbacks.stored(token.clone()).await.unwrap().unwrap();
        assert_eq!(stored.outcome, Outcome::Success { result: json!(number) });
    }
}
