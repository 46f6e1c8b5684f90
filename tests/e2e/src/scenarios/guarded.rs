//! A stack that lets in only who proves something, tells others of callbacks, and stands behind a REST API.

use anyhow::{Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Options,
    play::{LATER, SOON, held, next_task, text, topic},
};
use crate::{
    agents::{Behaviour, Phase},
    api::{Answer, Message},
    proofs::{API_KEY, WEBHOOK_SECRET, proofs, signature},
    stack::World,
};

/// Sends with all proofs.
async fn prove(world: &World, message: &Message) -> Result<Answer> {
    let body = message.0.to_string().into_bytes();
    let headers = proofs(&body, 0);
    world.callbacks.send_with(&world.guarded.callback_url, &headers, body).await
}

/// Whoever can't prove what is asked for changes nothing, and an agent of the stack's own can.
pub(super) async fn senders_prove_themselves(world: &World, _: Options) -> Result<()> {
    let stack = &world.guarded;
    let topic = topic("structured concurrency");
    let (id, task) = held(world, stack, &topic).await?;
    let finding = |text: &str| json!({ "text": text, "file": "notes.md", "line_start": 1 });
    let findings = json!({ "findings": [
        finding("Structured concurrency binds the lifetime of a task to a scope, which ends after all of its tasks."),
        finding("A scope of structured concurrency cancels the other tasks when one of them fails."),
    ]});
    let message = Message::success(&task.callback_token, findings);
    let body = message.0.to_string().into_bytes();
    let other = Message::success(&task.callback_token, json!({ "findings": ["another"] })).0.to_string();
    let mut wrong_key = proofs(&body, 0);
    wrong_key.retain(|(name, _)| *name != "x-api-key");
    wrong_key.push(("x-api-key", format!("{API_KEY}!")));
    for (what, headers) in [
        ("nothing", Vec::new()),
        ("only a key", vec![("x-api-key", API_KEY.to_owned())]),
        ("a wrong key", wrong_key),
        ("the signature of another body", proofs(other.as_bytes(), 0)),
        ("a signature that is too old", proofs(&body, 400)),
    ] {
        let answer = world.callbacks.send_with(&stack.callback_url, &headers, body.clone()).await?;
        ensure!(answer.status == 401, "{what}: {answer:?}");
    }
    let view = stack.api.workflow(&id).await?;
    ensure!(text(&view, "status")? == "PENDING", "somebody was let in: {view}");

    // Who listens in can only repeat what was said.
    let headers = proofs(&body, 60);
    for expected in ["callback_delivered", "already_delivered"] {
        let answer = world.callbacks.send_with(&stack.callback_url, &headers, body.clone()).await?;
        let answer = answer.expect(200)?;
        ensure!(answer.text("status") == expected, "{answer:?}");
    }
    // The analyst has no script: it is the function of the stack, and signs.
    let waiting = stack.api.wait_for(&id, "AWAITING_APPROVAL", LATER).await?;
    let analysis: Value = serde_json::from_slice(&stack.api.open(text(&waiting, "review_url")?).await?)?;
    ensure!(analysis.get("themes").is_some(), "this is not the analyst's: {analysis}");
    stack.api.call(Method::DELETE, &format!("/workflows/{id}"), None).await?.expect(200)?;
    Ok(())
}

/// Told again until they listen, signed, and nothing of what the callback says.
pub(super) async fn webhooks_are_signed_and_repeated(world: &World, _: Options) -> Result<()> {
    let stack = &world.guarded;
    let topic = topic("webhooks");
    let mut analyses = world.agents.script(&topic, Phase::Analysis, Behaviour::Hold);
    let (id, task) = held(world, stack, &topic).await?;
    prove(world, &Message::heartbeat(&task.callback_token)).await?.expect(200)?;
    let result = Message::success(&task.callback_token, json!({ "findings": ["confidential"] }));
    prove(world, &result).await?.expect(200)?;
    next_task(&mut analyses, SOON).await?;

    let attempts = world.receiver.attempts(&id).await?;
    for posted in &attempts {
        let timestamp = posted.header("x-webhook-timestamp")?;
        let expected = signature(WEBHOOK_SECRET, timestamp, posted.body.as_bytes());
        ensure!(posted.header("x-webhook-signature")? == expected, "the signature is another one");
        let is_secret = posted.body.contains("confidential") || posted.body.contains(&task.callback_token);
        ensure!(!is_secret, "the notice tells too much: {}", posted.body);
    }
    let [first, second] = &attempts;
    ensure!(first.header("x-webhook-id")? == second.header("x-webhook-id")?, "these are two notices");
    let notice: Value = serde_json::from_str(&second.body)?;
    let told = ["event", "status", "phase"].map(|field| notice.get(field).and_then(Value::as_str));
    ensure!(told == [Some("callback_delivered"), Some("SUCCESS"), Some("research")], "{notice}");
    stack.api.call(Method::DELETE, &format!("/workflows/{id}"), None).await?.expect(200)?;
    Ok(())
}

/// What a REST API writes in another way than an HTTP API.
pub(super) async fn rest_api_events(world: &World, _: Options) -> Result<()> {
    let stack = &world.guarded;
    let topic = topic("REST & Übersicht");
    let (id, _task) = held(world, stack, &topic).await?;
    for (query, is_listed) in [("status=PENDING&limit=100", true), ("status=FAILED&limit=100", false)] {
        let listed = stack.api.get(&format!("/workflows?{query}")).await?.expect(200)?;
        ensure!(listed.body.to_string().contains(&id) == is_listed, "{query}: {listed:?}");
    }
    stack.api.get("/workflows?status=%50ENDING&limit=1&limit=2").await?.expect(400)?;
    stack.api.get("/nowhere").await?.expect(404)?;
    // What is no text comes in Base64, and is signed as the bytes that it is.
    let binary = b"\xff\xfe".to_vec();
    let headers = proofs(&binary, 0);
    let answer = world.callbacks.send_with(&stack.callback_url, &headers, binary).await?.expect(400)?;
    ensure!(answer.text("error").starts_with("body: "), "{answer:?}");
    stack.api.call(Method::DELETE, &format!("/workflows/{id}"), None).await?.expect(200)?;
    Ok(())
}
