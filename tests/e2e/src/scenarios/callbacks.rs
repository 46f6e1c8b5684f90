//! What becomes of callbacks that come more than once, early, or for nobody.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{
    Options,
    play::{SOON, held, next_task, topic},
};
use crate::{
    agents::{Behaviour, Phase},
    api::{Answer, Message},
    stack::World,
};

/// `2026-11-21T15:04:05.678Z`
fn check_timestamp(answer: &Answer) -> Result<()> {
    let timestamp = answer.text("timestamp");
    let form: String =
        timestamp.chars().map(|character| if character.is_ascii_digit() { '0' } else { character }).collect();
    ensure!(form == "0000-00-00T00:00:00.000Z", "the timestamp is {timestamp}");
    Ok(())
}

/// The first outcome stands, whatever comes after, also at the same time.
pub(super) async fn duplicates_and_conflicts(world: &World, _: Options) -> Result<()> {
    let stack = &world.patient;
    let topic = topic("duplicates");
    let mut analyses = world.agents.script(&topic, Phase::Analysis, Behaviour::Hold);
    let (_, task) = held(world, stack, &topic).await?;
    let token = task.callback_token.as_str();
    let send = |message: Message| async move { world.callbacks.send(&stack.callback_url, &message).await };

    let findings = json!({ "findings": ["first"], "order": 1 });
    let delivered = send(Message::success(token, findings.clone())).await?.expect(200)?;
    ensure!(delivered.text("status") == "callback_delivered", "{delivered:?}");
    ensure!(delivered.text("token") == token, "the answer names another token");
    check_timestamp(&delivered)?;
    let repeated = send(Message::success(token, findings.clone())).await?.expect(200)?;
    ensure!(repeated.text("status") == "already_delivered", "{repeated:?}");
    send(Message::success(token, json!({ "findings": ["second"] }))).await?.expect(409)?;
    send(Message::failure(token, json!("changed my mind"))).await?.expect(409)?;
    let analysis = next_task(&mut analyses, SOON).await?;
    ensure!(
        analysis.document.pointer("/inputs/research") == Some(&findings),
        "another outcome was delivered"
    );

    // Twenty at once, in two versions.
    let token = analysis.callback_token.as_str();
    let rivals = (0..20).map(|number| send(Message::success(token, json!({ "version": number % 2 }))));
    let answers = futures_util::future::try_join_all(rivals).await?;
    let accepted: Vec<_> = answers.iter().map(|answer| answer.status == 200).collect();
    let by_version = |version| accepted.iter().skip(version).step_by(2);
    let [first, second] =
        [0, 1].map(|version| (by_version(version).any(|it| *it), by_version(version).all(|it| *it)));
    ensure!(
        matches!((first, second), ((true, true), (false, false)) | ((false, false), (true, true))),
        "of two outcomes both were accepted, or none, or one not always: {answers:?}"
    );
    Ok(())
}

pub(super) async fn heartbeats(world: &World, _: Options) -> Result<()> {
    let stack = &world.patient;
    let topic = topic("heartbeats");
    let mut analyses = world.agents.script(&topic, Phase::Analysis, Behaviour::Hold);
    let (_, task) = held(world, stack, &topic).await?;
    for _ in 0..3 {
        let heartbeat = Message::heartbeat(&task.callback_token);
        let answer = world.callbacks.send(&stack.callback_url, &heartbeat).await?.expect(200)?;
        ensure!(answer.text("status") == "heartbeat_recorded", "{answer:?}");
        check_timestamp(&answer)?;
    }
    let result = Message::success(&task.callback_token, json!({ "findings": ["alive"] }));
    let answer = world.callbacks.send(&stack.callback_url, &result).await?.expect(200)?;
    ensure!(answer.text("status") == "callback_delivered", "{answer:?}");
    next_task(&mut analyses, SOON).await?;
    Ok(())
}

/// Stored all the same: the second outcome for such a token is a contradiction.
pub(super) async fn unknown_tokens(world: &World, _: Options) -> Result<()> {
    let stack = &world.patient;
    for token in [topic("nobody"), "bm9ib2R5".to_owned(), "t".repeat(1024)] {
        let send = |result| {
            let message = Message::success(&token, result);
            async move { world.callbacks.send(&stack.callback_url, &message).await }
        };
        let answer = send(json!(1)).await?.expect(200)?;
        ensure!(answer.text("status") == "callback_stored", "{answer:?}");
        send(json!(1)).await?.expect(200)?;
        send(json!(2)).await?.expect(409)?;
    }
    Ok(())
}
