//! Stores that fail in the middle.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Options,
    artifacts::{findings, report},
    play::{LATER, approve, check_completed, held, next_task, quick_agents, text, topic},
};
use crate::{
    agents::{Behaviour, Phase},
    api::Message,
    proxy::{Fault, Proxy},
    stack::World,
};

const FAULTS: [Fault; 3] = [Fault::Refuse, Fault::Stall, Fault::CutAnswers];
/// Long enough to break something, short enough for the retries of a step.
const SHORT: Duration = Duration::from_millis(1500);

pub(super) async fn dynamodb_refuses_stalls_and_cuts(world: &World, _: Options) -> Result<()> {
    let workflows = (0..4).map(|_| async {
        let topic = topic("without DynamoDB");
        quick_agents(world, &topic);
        completes(world, &topic).await.map(drop)
    });
    tokio::try_join!(try_join_all(workflows), disturb(&world.dynamodb))?;
    Ok(())
}

pub(super) async fn s3_refuses_stalls_and_cuts(world: &World, _: Options) -> Result<()> {
    let report = report(300_000);
    let workflows = (0..3).map(|_| async {
        let topic = topic("without S3");
        for (phase, result) in [
            (Phase::Research, findings(300_000)),
            (Phase::Analysis, findings(300_000)),
            (Phase::Writing, json!({ "report": report })),
        ] {
            world.agents.script(&topic, phase, Behaviour::Succeed(result));
        }
        completes(world, &topic).await
    });
    let (completed, ()) = tokio::try_join!(try_join_all(workflows), disturb(&world.s3))?;
    // Now that S3 is back: the links lead to it, too.
    for view in completed {
        let stored = world.patient.api.open(text(&view, "report_url")?).await?;
        ensure!(stored == report.as_bytes(), "the stored report is another one");
    }
    Ok(())
}

async fn completes(world: &World, topic: &str) -> Result<Value> {
    let id = world.patient.api.start(topic).await?;
    let completed = approve(&world.patient, &id, LATER).await?;
    check_completed(&completed)?;
    Ok(completed)
}

/// Each fault once, with time in between in which work goes on.
async fn disturb(proxy: &Proxy) -> Result<()> {
    for fault in FAULTS {
        tokio::time::sleep(SHORT / 3).await;
        proxy.disturb(fault, SHORT).await;
    }
    Ok(())
}

/// Two senders with different outcomes for each token try until they have a final answer, while storage fails in all
/// ways. One of them wins, is told so, and its outcome is the one that the workflow gets.
pub(super) async fn callbacks_while_storage_fails(world: &World, options: Options) -> Result<()> {
    let stack = &world.patient;
    let rivals = (0..12).map(|_| async {
        let topic = topic("rivals");
        let analyses = world.agents.script(&topic, Phase::Analysis, Behaviour::Hold);
        let (id, task) = held(world, stack, &topic).await?;
        anyhow::Ok((id, task, analyses))
    });
    let rivals = try_join_all(rivals).await?;

    let outage = async {
        for fault in FAULTS {
            world.dynamodb.disturb(fault, options.outage / 3).await;
        }
        anyhow::Ok(())
    };
    let deliveries = rivals.into_iter().map(|(id, task, mut analyses)| async move {
        let outcomes = ["a", "b"].map(|version| json!({ "findings": [version] }));
        let sent = outcomes.each_ref().map(|outcome| async {
            let message = Message::success(&task.callback_token, outcome.clone());
            world.callbacks.deliver(&stack.callback_url, &message).await
        });
        let answers = try_join_all(sent).await?;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        let winner = match statuses.as_slice() {
            [200, 409] => outcomes.first(),
            [409, 200] => outcomes.last(),
            _ => None,
        };
        let winner = winner.with_context(|| format!("the senders were answered {answers:?}"))?;
        let analysis =
            next_task(&mut analyses, LATER).await.with_context(|| format!("the callback of {id} is lost"))?;
        let delivered = analysis.document.pointer("/inputs/research");
        ensure!(delivered == Some(winner), "{winner} was accepted, {delivered:?} was delivered");
        let again = Message::success(&task.callback_token, winner.clone());
        let again = world.callbacks.deliver(&stack.callback_url, &again).await?.expect(200)?;
        ensure!(again.text("status") == "already_delivered", "{again:?}");
        Ok(analyses)
    });
    let (mut analyses, ()) = tokio::try_join!(try_join_all(deliveries), outage)?;

    // What was kept in the meantime changes nothing: each token has its outcome.
    let redriven = stack.api.call(Method::POST, "/dead-letters/redrive", None).await?.expect(200)?;
    ensure!(redriven.body.get("remaining") == Some(&json!(0)), "{redriven:?}");
    ensure!(dead_letters(world).await?.is_empty(), "there are dead letters left");
    let is_quiet = analyses.iter_mut().all(|tasks| tasks.try_recv().is_err());
    ensure!(is_quiet, "a callback was delivered twice");
    Ok(())
}

async fn dead_letters(world: &World) -> Result<Vec<Value>> {
    let listed = world.patient.api.get("/dead-letters").await?.expect(200)?;
    Ok(listed.body.as_array().context("dead letters are a list")?.clone())
}

/// Senders that give up: the queue keeps what neither the table nor the bucket takes, and a redrive delivers it.
pub(super) async fn callbacks_that_nobody_could_store(world: &World, _: Options) -> Result<()> {
    let stack = &world.patient;
    let waiting = [json!({ "findings": ["small"] }), findings(300_000)].map(|outcome| async move {
        let topic = topic("given up");
        let analyses = world.agents.script(&topic, Phase::Analysis, Behaviour::Hold);
        let (_, task) = held(world, stack, &topic).await?;
        anyhow::Ok((Message::success(&task.callback_token, outcome), analyses))
    });
    let mut waiting = try_join_all(waiting).await?;
    for proxy in [&world.dynamodb, &world.s3] {
        proxy.set(Fault::Refuse);
    }
    let refused = waiting.iter().map(|(message, _)| world.callbacks.send(&stack.callback_url, message));
    let refused = try_join_all(refused).await;
    for proxy in [&world.dynamodb, &world.s3] {
        proxy.set(Fault::None);
    }
    for answer in refused? {
        let answer = answer.expect(500)?;
        ensure!(answer.text("error") == "Failed to store callback result", "{answer:?}");
    }
    ensure!(waiting.iter_mut().all(|(_, analyses)| analyses.try_recv().is_err()), "it was delivered");

    let letters = dead_letters(world).await?;
    ensure!(letters.len() == 2, "the dead letters are {letters:?}");
    let redriven = stack.api.call(Method::POST, "/dead-letters/redrive", None).await?.expect(200)?;
    ensure!(redriven.body == json!({ "delivered": 2, "remaining": 0 }), "{redriven:?}");
    ensure!(dead_letters(world).await?.is_empty(), "they are still there");
    for (message, analyses) in &mut waiting {
        next_task(analyses, LATER).await?;
        let again = world.callbacks.send(&stack.callback_url, message).await?.expect(200)?;
        ensure!(again.text("status") == "already_delivered", "{again:?}");
    }
    Ok(())
}
