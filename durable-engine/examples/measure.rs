//! Measures what durability costs: `cargo run --release -p durable-engine --example measure [directory [one]]`.
//!
//! Prints the cost of one durable step of one execution beside one `fdatasync` of the same disk, the number of
//! syncs and the processor time for each step of 256 executions at once, and how long it takes to open a
//! database with 100,000 suspended executions.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use durable_engine::{Engine, StartOptions};
use durable_runtime::{
    environment::Environment,
    protocol::{
        InvocationInput, InvocationOutput, OperationAction, OperationId, OperationType, OperationUpdate,
        WaitOptions,
    },
    service::{BoxFuture, CheckpointRequest},
    workflow::{InvocationError, Workflow},
};

/// Runs as many steps as its input says; each checkpoint ends one step and starts the next one. With `0`, waits
/// for a year.
struct Steps;

impl Workflow for Steps {
    fn name(&self) -> &str {
        "steps"
    }

    fn invoke(
        &self,
        input: InvocationInput,
        environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        Box::pin(async move {
            let root = input.initial_execution_state.operations.first();
            let count: usize = root
                .and_then(|root| root.execution_details.as_ref()?.input_payload.as_ref()?.parse().ok())
                .unwrap_or(0);
            let mut token = input.checkpoint_token;
            for number in 0..=count {
                let mut updates = Vec::new();
                if number > 0 {
                    let mut end = update(number - 1, OperationType::Step, OperationAction::Succeed);
                    end.payload = Some("{\"reservation\":\"r-1729\",\"price\":42}".into());
                    updates.push(end);
                }
                if number < count {
                    updates.push(update(number, OperationType::Step, OperationAction::Start));
                }
                if count == 0 {
                    let mut wait = update(0, OperationType::Wait, OperationAction::Start);
                    wait.wait_options = Some(WaitOptions { wait_seconds: 31_000_000 });
                    updates.push(wait);
                }
                let request = CheckpointRequest {
                    durable_execution_arn: input.durable_execution_arn.clone(),
                    checkpoint_token: token.clone(),
                    updates,
                    client_token: None,
                };
                let answer = environment.service.checkpoint(request).await;
                let answer = answer.map_err(|error| InvocationError::new(error.to_string()))?;
                token = answer.checkpoint_token.unwrap_or_default();
            }
            if count == 0 {
                return Ok(InvocationOutput::Pending);
            }
            Ok(InvocationOutput::Succeeded { result: Some("null".into()) })
        })
    }
}

fn update(number: usize, kind: OperationType, action: OperationAction) -> OperationUpdate {
    let mut update = OperationUpdate::new(OperationId::new(format!("{number:016x}")), kind, action);
    update.name = Some("reserve-stock".into());
    update.sub_type = Some(if kind == OperationType::Step { "Step".into() } else { "Wait".into() });
    update
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(directory)?;
    one_execution(directory.path()).await?;
    if std::env::args().nth(2).as_deref() == Some("one") {
        return Ok(());
    }
    many_executions(directory.path()).await?;
    suspended_executions(directory.path()).await
}

async fn one_execution(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    const STEPS: u32 = 2000;
    for round in 0..3 {
        let sync = one_sync(&directory.join("sync"), STEPS)?;
        let engine = Engine::builder()
            .sqlite(directory.join(format!("one-{round}.db")))
            .workflow(Arc::new(Steps))
            .open()?;
        let begun = Instant::now();
        let started = engine.start_raw("steps", StartOptions::default(), STEPS.to_string().into()).await?;
        engine.wait_for_end(&started.arn).await?;
        let step = begun.elapsed() / STEPS;
        let ratio = step.as_secs_f64() / sync.as_secs_f64();
        println!("one execution: {step:?} a step, one fdatasync {sync:?}, ratio {ratio:.2}");
    }
    Ok(())
}

fn one_sync(path: &Path, count: u32) -> std::io::Result<Duration> {
    let mut file = File::create(path)?;
    let begun = Instant::now();
    for _ in 0..count {
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
    }
    Ok(begun.elapsed() / count)
}

async fn many_executions(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    const EXECUTIONS: usize = 256;
    const STEPS: usize = 20;
    for round in 0..3 {
        let engine = Engine::builder()
            .sqlite(directory.join(format!("many-{round}.db")))
            .workflow(Arc::new(Steps))
            .open()?;
        let (begun, cpu) = (Instant::now(), cpu_time());
        let runs: Vec<_> = (0..EXECUTIONS)
            .map(|_| {
                let engine = engine.clone();
                tokio::spawn(async move {
                    let started =
                        engine.start_raw("steps", StartOptions::default(), STEPS.to_string().into()).await?;
                    engine.wait_for_end(&started.arn).await
                })
            })
            .collect();
        for run in runs {
            run.await??;
        }
        let steps = EXECUTIONS * STEPS;
        let (elapsed, cpu) = (begun.elapsed(), cpu_time().saturating_sub(cpu));
        let counters = engine.counters();
        println!(
            "{EXECUTIONS} executions x {STEPS} steps: {:.0} steps/s, {:.1} steps a sync, {:.1} µs of CPU a step",
            steps as f64 / elapsed.as_secs_f64(),
            steps as f64 / counters.commits as f64,
            cpu.as_secs_f64() * 1e6 / steps as f64,
        );
    }
    Ok(())
}

async fn suspended_executions(directory: &Path) -> Result<(), Box<dyn std::error::Error>> {
    const EXECUTIONS: usize = 100_000;
    let path = directory.join("suspended.db");
    let engine = Engine::builder().sqlite(&path).workflow(Arc::new(Steps)).open()?;
    let begun = Instant::now();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let engine = engine.clone();
            tokio::spawn(async move {
                for _ in 0..EXECUTIONS / 64 + 1 {
                    engine.start_raw("steps", StartOptions::default(), "0".into()).await?;
                }
                Ok::<_, durable_engine::EngineError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await??;
    }
    while engine.executions_in_memory() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("{EXECUTIONS} executions started and suspended in {:?}", begun.elapsed());
    drop(engine);
    let begun = Instant::now();
    let engine = Engine::builder().sqlite(&path).workflow(Arc::new(Steps)).open()?;
    let opened = begun.elapsed();
    let started = engine.start_raw("steps", StartOptions::default(), "1".into()).await?;
    engine.wait_for_end(&started.arn).await?;
    println!(
        "opened again in {opened:?}, first execution ended after {:?}, {} in memory",
        begun.elapsed(),
        engine.executions_in_memory()
    );
    Ok(())
}

/// User and system time of this process, from the kernel's accounting; zero where there is none.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}
