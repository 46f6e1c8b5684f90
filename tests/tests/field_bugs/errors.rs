//! Values and errors that must be the same live and on replay.

use std::{collections::BTreeMap, fmt, time::Duration};

use cross_tests::{journal::note, runs::run};
use durable_runtime::{prelude::*, protocol::OperationStatus};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum DiskError {
    Full { free: u64 },
    Broken(String),
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { free } => write!(f, "{free} bytes are free"),
            Self::Broken(what) => write!(f, "{what} is broken"),
        }
    }
}

#[durable_step(retry(none))]
async fn save(bytes: u64) -> Result<u64, DiskError> {
    match bytes {
        0 => Err(DiskError::Broken("head".into())),
        1..10 => Ok(bytes),
        _ => Err(DiskError::Full { free: 10 - bytes % 10 }),
    }
}

#[durable_execution]
async fn save_row(row: u64) -> Result<Vec<u64>, DiskError> {
    let batch = map([row, row * 5, 0], save).all_settled().outcome().await;
    note(format!("row {row}: {:?}", batch.errors().collect::<Vec<_>>()));
    batch.into_results()
}

#[durable_execution]
async fn save_all() -> Result<Vec<String>, Error> {
    let batch = map(1..3, save_row).all_settled().outcome().await;
    let seen = format!("{batch:?}");
    note(seen.clone());
    wait(Duration::from_secs(1)).await;
    wait(Duration::from_secs(1)).await;
    Ok(vec![seen])
}

/// F9: errors inside tolerance, nested, through several replays.
#[test]
fn errors_inside_tolerance_keep_type_message_and_data_at_any_nesting() {
    let ended = run(save_all, ());
    let seen: Vec<_> = ended.notes.iter().filter(|note| note.starts_with("Batch")).cloned().collect();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|look| *look == seen[0]));
    assert_eq!(ended.noted("row 1: [Broken(\"head\")]"), 1);
    let failed = ended.operations.iter().find(|it| it.status == OperationStatus::Failed).unwrap();
    let step = ended
        .operations
        .iter()
        .find(|it| it.step_details.as_ref().is_some_and(|step| step.error.is_some()))
        .unwrap();
    assert_eq!(step.step_details.as_ref().and_then(|step| step.error.as_ref()?.kind()), Some("DiskError"));
    assert!(failed.status.is_terminal());
    assert_eq!(ended.value(), [seen[0].clone()]);
}

/// F21: the handler goes by the type of an error.
#[durable_execution]
async fn goes_by_the_error() -> Result<u64, Error> {
    let freed = match save(13).await {
        Err(DiskError::Full { free }) => {
            note("full");
            step!("clean up", { Ok::<_, Error>(free + 100) }).await?
        }
        Err(DiskError::Broken(what)) => return Err(Error::new(what)),
        Ok(saved) => saved,
    };
    wait(Duration::from_secs(1)).await;
    Ok(freed)
}

#[test]
fn code_that_goes_by_an_errors_type_takes_the_same_way_on_replay() {
    let ended = run(goes_by_the_error, ());
    assert_eq!(ended.notes, ["full", "full"]);
    assert_eq!(ended.value(), 107);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Reading {
    value: f64,
    by_name: BTreeMap<u32, f32>,
    text: String,
    #[serde(skip)]
    cached: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[durable_step]
async fn measure() -> Result<Reading, Error> {
    Ok(Reading {
        value: 0.1 + 0.2,
        by_name: [(7, f32::MIN_POSITIVE), (8, 16_777_217.0)].into(),
        text: "\u{0}\u{1F980}\"\\".into(),
        cached: Some(5),
        tags: Vec::new(),
    })
}

#[durable_execution]
async fn measured() -> Result<(), Error> {
    let reading = measure().await?;
    note(format!("{reading:?}"));
    // A skipped field is gone at once and not only on replay.
    if reading.cached.is_some() {
        step!("only on the first run", { Ok::<_, Error>(()) }).await?;
    }
    wait(Duration::from_secs(1)).await;
    Ok(())
}

/// F12: floats, maps with number keys, skipped fields.
#[test]
fn a_value_of_the_first_run_is_what_a_replay_will_read() {
    let ended = run(measured, ());
    assert_eq!(ended.notes[0], ended.notes[1]);
    assert!(
        ended.notes[0].contains("0.30000000000000004") && ended.notes[0].contains("cached: None"),
        "{}",
        ended.notes[0]
    );
    assert!(ended.output.unwrap().is_ok());
}

#[durable_step(retry(max_attempts = 2, initial_delay = "1s", jitter = none))]
async fn panics() -> Result<(), Error> {
    note("attempt");
    panic!("head crash")
}

#[durable_execution]
async fn panicking() -> Result<(), Error> {
    panics().await
}

/// F24: a panic in a step's body.
#[test]
fn a_panic_is_an_attempt_that_counts() {
    let ended = run(panicking, ());
    assert_eq!((ended.noted("attempt"), ended.invocations), (2, 2));
    assert!(ended.error().message().contains("head crash"), "{}", ended.error());
}

#[durable_step]
async fn looks_for_the_context() -> Result<(bool, bool), Error> {
    Ok((is_replaying(), current_step().is_some()))
}

#[durable_execution]
async fn no_context_in_steps() -> Result<(bool, bool), Error> {
    wait(Duration::from_secs(1)).await;
    looks_for_the_context().await
}

/// F26: a step runs without any durable context.
#[test]
fn a_step_has_no_durable_context() {
    assert_eq!(run(no_context_in_steps, ()).value(), (false, true));
}

#[durable_step]
async fn text(bytes: usize) -> Result<String, Error> {
    Ok("z".repeat(bytes))
}

#[durable_execution]
async fn large_everywhere() -> Result<String, Error> {
    let (left, right) = try_join!(text(200_000), text(200_001)).await?;
    let fastest = race!(async { Ok::<_, Error>(text(150_000).await? + &text(150_000).await?) }).await?;
    let block = async { Ok::<_, Error>(text(180_000).await? + &text(180_000).await?) }.named("block").await?;
    wait(Duration::from_secs(1)).await;
    Ok(left + &right + &fastest + &block)
}

/// F23: results over the limits, of combinators and of the execution itself.
#[test]
fn oversized_results_of_combinators_and_of_the_execution_go_the_services_way() {
    let ended = run(large_everywhere, ());
    assert_eq!(ended.value().len(), 400_001 + 300_000 + 360_000);
    let ended = run(very_large, ());
    assert_eq!(ended.value().len(), 6 * 1_040_000);
}

/// 6.24 MB: more than an invocation may answer with, less than an execution may have.
#[durable_execution]
async fn very_large() -> Result<String, Error> {
    Ok(map(0..6, |_| text(1_040_000)).await?.concat())
}
