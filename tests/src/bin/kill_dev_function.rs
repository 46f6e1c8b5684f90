//! The functions of the campaign that kills the development server and their processes: what they do, they note in
//! `$KILL_DEV_FOLDER/journal.log`, which outlives everybody.
//!
//! ```text
//! effect INCARNATION PROCESS STEP ATTEMPT   appended inside of a step's body
//! ack INCARNATION PROCESS STEP              appended when the body of the step after it begins
//! callback ERRAND ID                        appended by the step that gives a callback's id away
//! ```
//!
//! The incarnation is the server's, from whose environment its functions have it; one of an earlier incarnation is an
//! orphan. Every line is on the disk before the process goes on. The names of steps are unique in the folder.

use std::{io, path::Path, process, sync::OnceLock, time::Duration};

use cross_tests::log_file::LogFile;
use durable_runtime::{lambda, prelude::*};
use serde::{Deserialize, Serialize};

/// What this process notes, and for which incarnation of the server.
static JOURNAL: OnceLock<(String, LogFile)> = OnceLock::new();

fn journal() -> io::Result<&'static (String, LogFile)> {
    JOURNAL.get().ok_or_else(|| io::Error::other("nothing runs before main"))
}

/// A side effect with some time before and after it, so that kills hit all three. The times differ from step to
/// step, so that there are steps at most moments.
async fn effect(step: &str, after: &str) -> io::Result<()> {
    let spread = step.bytes().fold(7, |sum: u64, byte| (sum * 31 + u64::from(byte)) % 1_009);
    let (incarnation, log) = journal()?;
    let (process, attempt) = (process::id(), step_attempt().unwrap_or_default());
    // A body begins when the end of the step before it is recorded, and no sooner.
    log.append(&format!("ack {incarnation} {process} {after}"))?;
    tokio::time::sleep(Duration::from_millis(spread % 30)).await;
    log.append(&format!("effect {incarnation} {process} {step} {attempt}"))?;
    tokio::time::sleep(Duration::from_millis(spread % 70)).await;
    Ok(())
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn fetch(step: String, after: String, value: u64) -> Result<u64, Error> {
    effect(&step, &after).await?;
    Ok(value)
}

#[durable_step(retry(max_attempts = 3, initial_delay = "1s", jitter = none))]
async fn fetch_at_second_try(step: String, after: String, value: u64) -> Result<u64, Error> {
    effect(&step, &after).await?;
    match step_attempt() {
        Some(1) => Err(Error::new("the first attempt always fails")),
        _ => Ok(value),
    }
}

#[durable_step(at_most_once)]
async fn ship(step: String, after: String) -> Result<(), Error> {
    effect(&step, &after).await?;
    Ok(())
}

#[durable_step]
async fn give_away(errand: u64, id: CallbackId) -> Result<(), Error> {
    let (_, log) = journal()?;
    log.append(&format!("callback {errand} {id}"))?;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Delivered {
    sum: u64,
    shipped: bool,
    approval: u64,
}

#[durable_execution]
async fn errand(number: u64) -> Result<Delivered, Error> {
    let name = |what: &str| format!("{number}-{what}");
    let mut sum = fetch(name("first"), name("start"), 1).named(name("first")).await?;
    let approval = callback::<u64>("approval").create().await;
    give_away(number, approval.id().clone()).await?;
    sum += fetch_at_second_try(name("flaky"), name("first"), 10).named(name("flaky")).await?;
    let items = map(0..3_u64, |item| async move {
        let name = |what: &str| format!("{number}-item{item}-{what}");
        let flaky = format!("{number}-flaky");
        let before = fetch(name("before"), flaky, 100).named(name("before")).await?;
        if item % 2 == 0 {
            wait(Duration::from_secs(1)).await;
        }
        let after = fetch(name("after"), name("before"), 1_000).named(name("after")).await?;
        Ok::<_, Error>(before + after)
    });
    sum += items.await?.iter().sum::<u64>();
    let approval = approval.result().await?;
    sum += invoke::<_, u64>("price", &number).await?;
    // What an interruption reports is part of the result: it must never change afterwards.
    let shipped = ship(name("ship"), name("price")).named(name("ship")).await.is_ok();
    wait(Duration::from_secs(1)).await;
    sum += fetch(name("last"), name("ship"), 100_000).named(name("last")).await?;
    Ok(Delivered { sum, shipped, approval })
}

#[durable_execution]
async fn price(errand: u64) -> Result<u64, Error> {
    let name = |what: &str| format!("{errand}-{what}");
    fetch(name("price"), name("item2-after"), 10_000).named(name("price")).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    let folder = std::env::var("KILL_DEV_FOLDER")?;
    let log = LogFile::open(&Path::new(&folder).join("journal.log"))?;
    let incarnation = std::env::var("KILL_DEV_INCARNATION")?;
    JOURNAL.get_or_init(|| (incarnation, log));
    lambda::init_logging();
    match std::env::var("_HANDLER")?.as_str() {
        "errand" => lambda::run(errand).await,
        "price" => lambda::run(price).await,
        other => Err(format!("there is no function `{other}`").into()),
    }
}
