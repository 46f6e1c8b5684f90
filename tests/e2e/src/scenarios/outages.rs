//! Stores that fail in the middle.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
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
        Ok(())
    });
    tokio::try_join!(try_join_all(deliveries), outage)?;
    Ok(())
}
