//! Processes that are killed without warning.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use serde_json::json;

use super::{
    Options,
    artifacts::{findings, report},
    play::{LATER, approve, check_completed, quick_agents, text, topic},
};
use crate::{
    agents::{Behaviour, Phase},
    stack::World,
};

/// How long killing goes on.
const TIME: Duration = Duration::from_secs(15);

/// Numbers that follow from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let limit = limit.max(1) as u64;
        ((mixed ^ (mixed >> 31)) % limit) as usize
    }
}

/// Workflows of all kinds complete, each step once, while any function's processes die at any moment.
pub(super) async fn each_function_is_killed_at_random(world: &World, options: Options) -> Result<()> {
    let over = Instant::now() + TIME;
    let lanes = (0..5).map(|lane| async move {
        let mut completed = 0;
        while Instant::now() < over {
            completes(world, lane).await?;
            completed += 1;
        }
        anyhow::Ok(completed)
    });
    let (completed, killed) = tokio::try_join!(try_join_all(lanes), kill(world, options.seed, over))?;
    let completed: usize = completed.iter().sum();
    eprintln!("{completed} workflows completed while processes were killed: {killed:?}");
    ensure!(killed.iter().all(|(_, times)| *times > 0), "not every function was killed: {killed:?}");
    Ok(())
}

async fn completes(world: &World, lane: u8) -> Result<()> {
    let stack = &world.patient;
    let topic = topic("executions and callbacks of the engine");
    match lane {
        // The embedded agents.
        0 => {}
        1 => {
            let large = || findings(250_000);
            let results = [large(), large(), json!({ "report": report(250_000) })];
            for (phase, result) in [Phase::Research, Phase::Analysis, Phase::Writing].into_iter().zip(results)
            {
                world.agents.script(&topic, phase, Behaviour::Succeed(result));
            }
        }
        _ => quick_agents(world, &topic),
    }
    let id = stack.api.start(&topic).await?;
    let completed = approve(stack, &id, LATER).await?;
    check_completed(&completed)?;
    stack.api.open(text(&completed, "report_url")?).await?;
    Ok(())
}

/// Kills until time is over, and says how many processes of each function.
async fn kill(world: &World, seed: u64, over: Instant) -> Result<Vec<(String, usize)>> {
    let mut random = Random(seed);
    let names = world.patient.functions.iter().map(|function| function.name.clone());
    let mut killed: Vec<(String, usize)> = names.map(|name| (name, 0)).collect();
    while Instant::now() < over {
        tokio::time::sleep(Duration::from_millis(150 + random.below(350) as u64)).await;
        let chosen = random.below(killed.len());
        if let Some((name, times)) = killed.get_mut(chosen) {
            // One process: the service gives an execution up whose invocations fail time after time.
            *times += usize::from(world.lambda.kill_one(name, |processes| random.below(processes)));
        }
    }
    Ok(killed)
}
