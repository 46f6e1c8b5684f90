//! The process that the kill campaign kills: an engine with many executions, whose side effects and promises
//! are written to two files that outlive it.
//!
//! ```text
//! kill_victim FOLDER INCARNATION EXECUTIONS
//!
//! effects.log   INCARNATION STEP ATTEMPT   appended inside of a step's body
//! promises.log  start ERRAND ARN           appended after the engine acknowledged a start
//!               result ERRAND JSON         appended after the engine gave a result
//! ```
//!
//! Every line is on the disk before the process goes on. The names of steps are unique in the folder. The
//! process ends by itself when all executions have ended.

use std::{io, path::Path, sync::OnceLock, time::Duration};

use cross_tests::log_file::LogFile;
use durable_engine::{Engine, StartOptions};
use durable_runtime::{prelude::*, protocol::Payload};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// Where this incarnation notes its side effects.
static EFFECTS: OnceLock<(u32, LogFile)> = OnceLock::new();

/// A side effect with some time before and after it, so that kills hit all three. The times differ from step to
/// step, so that there are steps at most moments.
async fn effect(step: &str) -> io::Result<()> {
    let spread = step.bytes().fold(7, |sum: u64, byte| (sum * 31 + u64::from(byte)) % 1_009);
    tokio::time::sleep(Duration::from_millis(spread % 30)).await;
    let (incarnation, log) = EFFECTS.get().ok_or_else(|| io::Error::other("no steps run before main"))?;
    log.append(&format!("{incarnation} {step} {}", step_attempt().unwrap_or_default()))?;
    tokio::time::sleep(Duration::from_millis(spread % 70)).await;
    Ok(())
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn fetch(step: String, value: u64) -> Result<u64, Error> {
    effect(&step).await?;
    Ok(value)
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn fetch_at_second_try(step: String, value: u64) -> Result<u64, Error> {
    effect(&step).await?;
    match step_attempt() {
        Some(1) => Err(Error::new("the first attempt always fails")),
        _ => Ok(value),
    }
}

#[durable_step(at_most_once)]
async fn ship(step: String) -> Result<(), Error> {
    effect(&step).await?;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Delivered {
    sum: u64,
    shipped: bool,
}

#[durable_execution]
async fn errand(number: u64) -> Result<Delivered, Error> {
    let name = |what: &str| format!("{number}-{what}");
    let mut sum = fetch(name("first"), 1).named(name("first")).await?;
    sum += fetch_at_second_try(name("flaky"), 10).named(name("flaky")).await?;
    wait(Duration::from_secs(1)).await;
    let items = map(0..4_u64, |item| async move {
        let name = |what: &str| format!("{number}-item{item}-{what}");
        let before = fetch(name("before"), 100).named(name("before")).await?;
        if item % 2 == 0 {
            wait(Duration::from_secs(1)).await;
        }
        let after = fetch(name("after"), 1_000).named(name("after")).await?;
        Ok::<_, Error>(before + after)
    });
    sum += items.await?.iter().sum::<u64>();
    // What an interruption reports is part of the result: it must never change afterwards.
    let shipped = ship(name("ship")).named(name("ship")).await.is_ok();
    wait(Duration::from_secs(1)).await;
    sum += fetch(name("last"), 10_000).named(name("last")).await?;
    Ok(Delivered { sum, shipped })
}

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("usage: kill_victim FOLDER INCARNATION EXECUTIONS");
    let (folder, incarnation, executions) = (argument()?, argument()?, argument()?);
    let folder = Path::new(&folder);
    let effects = LogFile::open(&folder.join("effects.log"))?;
    EFFECTS.get_or_init(|| (incarnation.parse().unwrap_or_default(), effects));
    // Lives as long as the process.
    let promises: &'static LogFile = Box::leak(Box::new(LogFile::open(&folder.join("promises.log"))?));

    let workflow = durable_runtime::workflow(errand);
    let engine = Engine::builder().sqlite(folder.join("engine.db")).workflow(workflow).open()?;
    let mut errands = JoinSet::new();
    for number in 0..executions.parse()? {
        errands.spawn(run(engine.clone(), number, promises));
    }
    while let Some(ended) = errands.join_next().await {
        ended??;
    }
    engine.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

/// Starts an errand, or finds the one that was started before, and waits for its end.
async fn run(engine: Engine, number: u64, promises: &LogFile) -> Result<(), AnyError> {
    // Not all at once, for the same reason.
    tokio::time::sleep(Duration::from_millis(number * 10)).await;
    let options = StartOptions::named(format!("errand-{number}"));
    let started = engine.start_raw("errand", options, Payload::from(number.to_string())).await?;
    promises.append(&format!("start {number} {}", started.arn))?;
    let ended = engine.wait_for_end(&started.arn).await?;
    let result = ended.result.ok_or_else(|| format!("errand {number} ended as {:?}", ended.error))?;
    promises.append(&format!("result {number} {}", result.as_str()))?;
    Ok(())
}
