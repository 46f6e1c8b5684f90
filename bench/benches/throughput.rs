//! What a durable step costs in the embedded engine: alone, and among 256 concurrent executions.

use std::{path::Path, time::Instant};

use bench::{
    Figure,
    engine::{self, run_many},
    history::survey,
    machine,
};
use durable_engine::Engine;

const CONCURRENT: usize = 256;
const STEPS: u64 = 20;
/// Batches of concurrent executions that are measured, after one that warms up.
const BATCHES: u64 = 8;
/// Executions that run alone.
const ROUNDS: u32 = 9;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = machine::scratch()?;
    alone(folder.path()).await?;
    concurrent(folder.path()).await
}

fn open(database: &Path) -> Result<Engine, durable_engine::OpenError> {
    Engine::builder().sqlite(database).workflow(durable_runtime::workflow(survey)).open()
}

async fn alone(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let engine = open(&folder.join("alone.db"))?;
    let alone = engine::alone(&engine, "survey", folder, ROUNDS).await?;
    let microseconds = |time: std::time::Duration| time.as_secs_f64() * 1e6;
    Figure::new("one append of 4 KiB with fdatasync on this disk", microseconds(alone.sync), "µs").report();
    Figure::new("one execution alone, time of a durable step", microseconds(alone.step), "µs").report();
    Figure::new("one execution alone, a step against one fdatasync", alone.ratio, "×").at_most(1.3).report();
    Ok(())
}

/// Many executions: they share commits, so the processor is the measure. Each commit syncs the disk once. Merging
/// the write-ahead log into the database syncs it too, about 0.3 times for 40 steps as strace counts them.
async fn concurrent(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let engine = open(&folder.join("concurrent.db"))?;
    run_many(&engine, "survey", STEPS, CONCURRENT).await?;
    let (commits, cpu, begun) = (engine.counters().commits, machine::cpu_time(), Instant::now());
    for _ in 0..BATCHES {
        run_many(&engine, "survey", STEPS, CONCURRENT).await?;
    }
    let (elapsed, cpu) = (begun.elapsed(), machine::cpu_time() - cpu);
    let commits = engine.counters().commits - commits;
    let steps = (BATCHES * STEPS * CONCURRENT as u64) as f64;
    let each = cpu.as_secs_f64() * 1e6 / steps;
    let shared = commits as f64 * 40.0 / steps;
    let of = format!("{CONCURRENT} executions × {STEPS} steps");
    Figure::new(format!("{of}, durable steps a second"), steps / elapsed.as_secs_f64(), "").report();
    Figure::new(format!("{of}, commits for 40 steps"), shared, "").at_most(1.0).report();
    Figure::new(format!("{of}, CPU time of a step"), each, "µs").at_most(100.0).report();
    Ok(())
}
