//! Results that are too large for checkpoints and records.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    Options,
    play::{SOON, approve, next_task, text, topic},
};
use crate::{
    agents::{Behaviour, Phase, Task},
    stack::World,
};

/// Findings of about so many bytes.
pub(super) fn findings(bytes: usize) -> Value {
    let lines: Vec<_> = (0..bytes / 100).map(|line| format!("{line:08} {}", "finding ".repeat(11))).collect();
    json!({ "findings": lines })
}

/// A report of about so many bytes.
pub(super) fn report(bytes: usize) -> String {
    format!("# Report\n\n{}", "All is well. ".repeat(bytes / 13))
}

/// What an agent was given as the result of the phase `name`: itself, or what its reference opens.
async fn input(world: &World, task: &Task, name: &str) -> Result<(Value, bool)> {
    let input = task.document.pointer(&format!("/inputs/{name}"));
    let input = input.with_context(|| format!("the task has no input `{name}`"))?;
    if input.get("artifact_type").is_none() {
        return Ok((input.clone(), false));
    }
    let opened = world.patient.api.open(text(input, "url")?).await?;
    Ok((serde_json::from_slice(&opened)?, true))
}

async fn travels(world: &World, sizes: [usize; 3], are_references: [bool; 2]) -> Result<()> {
    let stack = &world.patient;
    let topic = topic("large");
    let [research, analysis] = [findings(sizes[0]), findings(sizes[1])];
    let report = report(sizes[2]);
    let script = |phase, result| world.agents.script(&topic, phase, Behaviour::Succeed(result));
    script(Phase::Research, research.clone());
    let mut analyses = script(Phase::Analysis, analysis.clone());
    let mut writings = script(Phase::Writing, json!({ "report": report }));
    let id = stack.api.start(&topic).await?;

    let task = next_task(&mut analyses, SOON).await?;
    let (given, is_reference) = input(world, &task, "research").await?;
    ensure!(given == research, "the analyst got other findings");
    ensure!(is_reference == are_references[0], "{} bytes: by reference is {is_reference}", sizes[0]);
    let completed = approve(stack, &id, SOON).await?;
    let task = next_task(&mut writings, SOON).await?;
    let (given, is_reference) = input(world, &task, "analysis").await?;
    ensure!(given == analysis, "the writer got another analysis");
    ensure!(is_reference == are_references[1], "{} bytes: by reference is {is_reference}", sizes[1]);
    let stored = stack.api.open(text(&completed, "report_url")?).await?;
    ensure!(stored == report.into_bytes(), "the stored report is another one");
    Ok(())
}

pub(super) async fn results_below_and_above_200_kb(world: &World, _: Options) -> Result<()> {
    travels(world, [190_000, 215_000, 1_000], [false, true]).await
}

pub(super) async fn results_above_256_kb(world: &World, _: Options) -> Result<()> {
    travels(world, [300_000, 2_000_000, 600_000], [true, true]).await
}
