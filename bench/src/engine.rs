//! What the benches of the engine do over and over.

use durable_engine::{Engine, EngineError, ExecutionStatus, StartOptions};
use durable_runtime::protocol::Payload;
use tokio::task::JoinSet;

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
