//! What a durable step costs in the embedded engine: alone, and among 256 concurrent executions.

use std::{path::Path, time::Instant};

use bench::{
    Figure,
    engine::{run_many, run_one},
    history::survey,
    machine,
};
use durable_engine::Engine;

const CONCURRENT: usize = 256;
const STEPS: u64 = 20;
/// Batches of concurrent executions that are measured, after one that warms up.
const BATCHES: u64 = 8;
/// Steps of the execution that runs alone.
const ALONE: u64 = 1_000;
const SYNCS: usize = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = machine::scratch()?;
    alone(folder.path()).await?;
    concurrent(folder.path()).await
}

fn engine(database: &Path) -> Result<Engine, durable_engine::OpenError> {
    Engine::builder().sqlite(database).workflow(durable_runtime::workflow(survey)).open()
}

/// One execution: each step waits for the disk once, so the disk is the measure.
async fn alone(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let engine = engine(&folder.join("alone.db"))?;
    run_one(&engine, "survey", ALONE / 10).await?;
    // Before and after: the disk belongs to others too, and its speed drifts.
    let before = machine::sync_time(folder, SYNCS)?;
    let (commits, begun) = (engine.counters().commits, Instant::now());
    run_one(&engine, "survey", ALONE).await?;
    let (elapsed, commits) = (begun.elapsed(), engine.counters().commits - commits);
    let after = machine::sync_time(folder, SYNCS)?;
    let sync = (before + after).as_secs_f64() / 2.0;
    let step = elapsed.as_secs_f64() / ALONE as f64;
    eprintln!("one execution of {ALONE} steps: {commits} commits");
    Figure::new("one append of 4 KiB with fdatasync on this disk", sync * 1e6, "µs").report();
    Figure::new("one execution alone, time of a durable step", step * 1e6, "µs").report();
    Figure::new("one execution alone, a step against one fdatasync", step / sync, "×").at_most(1.3).report();
    Ok(())
}

/// Many executions: they share commits, so the processor is the measure.
async fn concurrent(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let engine = engine(&folder.join("concurrent.db"))?;
    run_many(&engine, "survey", STEPS, CONCURRENT).await?;
    let (commits, cpu, begun) = (engine.counters().commits, machine::cpu_time(), Instant::now());
    for _ in 0..BATCHES {
        run_many(&engine, "survey", STEPS, CONCURRENT).await?;
    }
    let (elapsed, cpu) = (begun.elapsed(), machine::cpu_time() - cpu);
    let commits = engine.counters().commits - commits;
    let steps = (BATCHES * STEPS * CONCURRENT as u64) as f64;
    let each = cpu.as_secs_f64() * 1e6 / steps;
    let syncs = commits as f64 * 40.0 / steps;
    let of = format!("{CONCURRENT} executions × {STEPS} steps");
    Figure::new(format!("{of}, durable steps a second"), steps / elapsed.as_secs_f64(), "").report();
    Figure::new(format!("{of}, fdatasyncs for 40 steps"), syncs, "").at_most(1.0).report();
    Figure::new(format!("{of}, CPU time of a step"), each, "µs").at_most(100.0).report();
    Ok(())
}
