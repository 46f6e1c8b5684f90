//! 100,000 executions that wait for a callback: what they cost in memory, and how soon an engine that was
//! killed is back at work with them.
//!
//! A second process of this program starts them and is killed; this one opens what it left.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use bench::{Figure, machine};
use durable_engine::{Engine, ExecutionStatus, HistoryPage, StartOptions};
use durable_runtime::{prelude::*, protocol::Payload};

const EXECUTIONS: usize = 100_000;
/// Starts that are waited for together.
const AT_ONCE: usize = 500;
/// Names the folder of the database to the second process.
const FOLDER: &str = "BENCH_SUSPENDED_FOLDER";

#[durable_execution]
async fn approved(request: u64) -> Result<u64, Error> {
    let answer: u64 = callback("approval").create().await.result().await?;
    Ok(request + answer)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return start_all(Path::new(&folder)).await;
    }
    let folder = machine::scratch()?;
    let mut victim = Victim::start(folder.path())?;
    let (last, growth) = victim.wait()?;
    Figure::new("memory growth by 100,000 suspended executions", growth / 1e6, "MB").at_most(50.0).report();
    drop(victim);
    reopen(folder.path(), &last).await
}

fn open(folder: &Path) -> Result<Engine, durable_engine::OpenError> {
    let database = folder.join("suspended.db");
    Engine::builder().sqlite(database).workflow(durable_runtime::workflow(approved)).open()
}

/// The second process: starts all, says so, and waits to be killed.
async fn start_all(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let engine = open(folder)?;
    let before = machine::resident_memory()?;
    let begun = Instant::now();
    let last = start(&engine, EXECUTIONS).await?;
    let growth = machine::resident_memory()?.saturating_sub(before);
    eprintln!("{EXECUTIONS} executions were started and suspended in {:.1} s", begun.elapsed().as_secs_f64());
    println!("{last} {growth}");
    std::future::pending().await
}

/// Starts `count` executions, returns when all are suspended, and gives the ARN of the last one.
async fn start(engine: &Engine, count: usize) -> Result<String, Box<dyn std::error::Error>> {
    let mut last = String::new();
    for _ in 0..count / AT_ONCE {
        let mut starting = tokio::task::JoinSet::new();
        for request in 0..AT_ONCE {
            let engine = engine.clone();
            let input = Payload::from(request.to_string());
            starting.spawn(async move { engine.start_raw("approved", StartOptions::default(), input).await });
        }
        while let Some(started) = starting.join_next().await {
            last = started??.arn;
        }
    }
    while engine.executions_in_memory() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(last)
}

/// The second process, killed at the latest when this is dropped.
struct Victim(Child);

impl Victim {
    fn start(folder: &Path) -> std::io::Result<Self> {
        let program = std::env::current_exe()?;
        Command::new(program).env(FOLDER, folder).stdout(Stdio::piped()).spawn().map(Self)
    }

    /// The ARN of an execution and by how many bytes the memory grew, once all are suspended.
    fn wait(&mut self) -> Result<(String, f64), Box<dyn std::error::Error>> {
        let output = self.0.stdout.take().ok_or("the second process has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let (arn, growth) = line.trim().split_once(' ').ok_or("the second process ended early")?;
        Ok((arn.to_owned(), growth.parse()?))
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        // SIGKILL on Unix: nothing is shut down. It fails when the process has ended, and that is fine too.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn reopen(folder: &Path, last: &str) -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let engine = open(folder)?;
    let operations = engine.operations(last).await?;
    let callback =
        operations.iter().find_map(|operation| operation.callback_details.as_ref()?.callback_id.clone());
    engine.succeed_callback(&callback.ok_or("the callback was lost")?, Some(Payload::from("1"))).await?;
    let ended = engine.wait_for_end(last).await?;
    let elapsed = begun.elapsed();
    assert_eq!(ended.status, ExecutionStatus::Succeeded, "{:?}", ended.error);
    let history = engine.history(last, HistoryPage::all()).await?;
    assert!(history.events.len() >= 4, "started, callback started, callback succeeded, succeeded");
    let name = "killed with 100,000 suspended, reopened and one completed";
    Figure::new(name, elapsed.as_secs_f64(), "s").at_most(2.0).report();
    Ok(())
}
