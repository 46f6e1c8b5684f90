//! What a durable step costs on the development server, in a function that runs as a process: alone, and among 64
//! concurrent executions. A step goes by HTTP from the function to the server, into a commit, and back.

use std::{path::Path, time::Instant};

use bench::{Figure, bootstrap, engine, machine, processes};
use durable_cli::{DevServer, FunctionConfig};

const CONCURRENT: usize = 64;
const STEPS: u64 = 20;
/// Batches of concurrent executions that are measured, after two that warm up.
const BATCHES: u64 = 12;
/// Executions that run alone.
const ROUNDS: u32 = 15;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = machine::scratch()?;
    alone(folder.path()).await?;
    concurrent(folder.path()).await
}

async fn server(data: &Path) -> Result<DevServer, Box<dyn std::error::Error>> {
    let program = bootstrap::program()?;
    let mut function =
        FunctionConfig::command([program.to_str().ok_or("the program's path is not UTF-8")?]);
    function.concurrency = CONCURRENT;
    Ok(DevServer::builder().data(data).function("survey", function).start().await?)
}

async fn alone(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let server = server(&folder.join("alone")).await?;
    let commits = server.engine().counters().commits;
    let alone = engine::alone(server.engine(), "survey", folder, ROUNDS).await?;
    let commits = server.engine().counters().commits - commits;
    assert!(commits >= alone.steps, "each step of an execution alone is a commit");
    let step = alone.step.as_secs_f64() * 1e6;
    Figure::new("function process alone, time of a durable step", step, "µs").report();
    Figure::new("function process alone, a step against one fdatasync", alone.ratio, "×")
        .at_most(2.0)
        .report();
    server.shutdown(std::time::Duration::ZERO).await;
    Ok(())
}

/// Many executions: they share commits, so the processor is the measure: of the server, of the functions and of this
/// bench, which starts them. Each commit syncs the disk once. Merging the write-ahead log into the database syncs it
/// too.
async fn concurrent(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let server = server(&folder.join("concurrent")).await?;
    // As many processes as there will be.
    for _ in 0..2 {
        engine::run_many(server.engine(), "survey", STEPS, CONCURRENT).await?;
    }
    let (commits, cpu, begun) =
        (server.engine().counters().commits, processes::cpu_time_with_children()?, Instant::now());
    for _ in 0..BATCHES {
        engine::run_many(server.engine(), "survey", STEPS, CONCURRENT).await?;
    }
    let (elapsed, cpu) = (begun.elapsed(), processes::cpu_time_with_children()? - cpu);
    let commits = server.engine().counters().commits - commits;
    let steps = (BATCHES * STEPS * CONCURRENT as u64) as f64;
    let of = format!("{CONCURRENT} function processes × {STEPS} steps");
    Figure::new(format!("{of}, durable steps a second"), steps / elapsed.as_secs_f64(), "").report();
    Figure::new(format!("{of}, commits for 10 steps"), commits as f64 * 10.0 / steps, "")
        .at_most(1.0)
        .report();
    let each = cpu.as_secs_f64() * 1e6 / steps;
    Figure::new(format!("{of}, CPU time of a step, all processes"), each, "µs").at_most(300.0).report();
    server.shutdown(std::time::Duration::ZERO).await;
    Ok(())
}
