//! What the benches of the engine do over and over.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use durable_engine::{Engine, EngineError, ExecutionStatus, StartOptions};
use durable_runtime::protocol::Payload;
use tokio::task::JoinSet;

use crate::{
    machine,
    timing::{median, median_ratio},
};

/// Steps of an execution that runs alone.
const ALONE: u64 = 200;
/// Writes that are synced for one reading of the disk.
const SYNCS: usize = 100;

/// Starts an execution and waits for its success.
///
/// # Errors
///
/// The engine refused it, or the execution did not succeed.
pub async fn run_one(engine: &Engine, function: &str, input: u64) -> Result<(), EngineError> {
    let input = Payload::from(input.to_string());
    let started = engine.start_raw(function, StartOptions::default(), input).await?;
    let ended = engine.wait_for_end(&started.arn).await?;
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}", ended.error);
    Ok(())
}

/// As [`run_one`], `count` times at once.
///
/// # Errors
///
/// The first error of any of them.
pub async fn run_many(
    engine: &Engine,
    function: &'static str,
    input: u64,
    count: usize,
) -> Result<(), EngineError> {
    let mut running = JoinSet::new();
    for _ in 0..count {
        let engine = engine.clone();
        running.spawn(async move { run_one(&engine, function, input).await });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("a bench does not panic elsewhere")?;
    }
    Ok(())
}

/// What a durable step costs an execution that runs alone: it waits for the disk once, so the disk is the measure.
#[derive(Debug)]
pub struct Alone {
    /// The median time of a step.
    pub step: Duration,
    /// The median time of an append with fdatasync.
    pub sync: Duration,
    /// The median of the first against the second.
    pub ratio: f64,
    /// Steps that were measured.
    pub steps: u64,
}

/// Measures both in turns, because the disk's speed drifts; the steps those of executions of `function`, whose input is
/// how many they have.
///
/// # Errors
///
/// An execution did not succeed, or `folder` can't be written to.
pub async fn alone(
    engine: &Engine,
    function: &str,
    folder: &Path,
    rounds: u32,
) -> Result<Alone, Box<dyn std::error::Error>> {
    run_one(engine, function, ALONE).await?;
    let (mut syncs, mut steps) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        syncs.push(machine::sync_time(folder, SYNCS)?);
        let begun = Instant::now();
        run_one(engine, function, ALONE).await?;
        steps.push(begun.elapsed() / u32::try_from(ALONE)?);
    }
    let ratio = median_ratio(&steps, &syncs);
    Ok(Alone { step: median(steps), sync: median(syncs), ratio, steps: ALONE * u64::from(rounds) })
}
