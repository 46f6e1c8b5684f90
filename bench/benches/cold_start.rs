//! A function as Lambda starts it: how big, how soon it is there, and whether it stays as it is.

use std::{fs, path::Path};

use axum::body::Bytes;
use bench::{
    Figure, bootstrap,
    history::{self, envelope_of_start},
    lambda_host::Function,
    processes,
    timing::median,
};

/// Cold starts; the median counts.
const STARTS: usize = 41;
/// Steps of each execution.
const STEPS: u64 = 1;
/// Invocations of one process before its memory is read for the first time, and after.
const WARM_UP: usize = 100;
const WARM: usize = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = bootstrap::program()?;
    let megabytes = fs::metadata(&program)?.len() as f64 / 1e6;
    Figure::new("stripped bootstrap with the AWS client", megabytes, "MB").at_most(8.0).report();
    cold(&program).await?;
    warm(&program).await
}

async fn cold(program: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (mut ready, mut answered) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (mut function, begun) = Function::start(program).await?;
        ready.push(function.asks().await? - begun);
        answered.push(invoke(&mut function).await? - begun);
    }
    let milliseconds = |times| median(times).as_secs_f64() * 1e3;
    Figure::new("cold start, exec to the first request for an invocation", milliseconds(ready), "ms")
        .at_most(4.0)
        .report();
    Figure::new(
        "cold start, exec to the first answer, one checkpoint included",
        milliseconds(answered),
        "ms",
    )
    .at_most(25.0)
    .report();
    Ok(())
}

async fn warm(program: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (mut function, _) = Function::start(program).await?;
    function.asks().await?;
    let mut before = 0;
    for invocation in 0..WARM_UP + WARM {
        if invocation == WARM_UP {
            before = processes::resident_memory(function.id()?)?;
        }
        invoke(&mut function).await?;
        function.asks().await?;
    }
    let growth = processes::resident_memory(function.id()?)?.saturating_sub(before) as f64 / 1e6;
    // What flat means: less than 100 bytes an invocation, which is the allocator's noise.
    Figure::new("memory growth over 1,000 warm invocations", growth, "MB").at_most(0.1).report();
    Ok(())
}

/// The moment of the answer to a new execution.
async fn invoke(function: &mut Function) -> Result<std::time::Instant, Box<dyn std::error::Error>> {
    let envelope = Bytes::from(envelope_of_start(STEPS));
    let (moment, output, checkpoints) = function.invoke(envelope).await?;
    assert_eq!(output, history::expected(STEPS), "the function did something else");
    assert_eq!(checkpoints as u64, STEPS, "each step is one checkpoint");
    Ok(moment)
}
