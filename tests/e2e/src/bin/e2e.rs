//! Starts everything, plays the scenarios, and says what became of them.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use e2e::{
    scenarios::{Options, play},
    stack::{Parts, World},
};

/// Drives the deployed applications end to end on one machine.
#[derive(Parser)]
struct Arguments {
    /// The deployment template.
    #[arg(long)]
    template: PathBuf,
    /// The folder of the functions' programs: research, callback, api, agent.
    #[arg(long)]
    programs: PathBuf,
    /// The `durable` program.
    #[arg(long)]
    durable: PathBuf,
    /// An interpreter that has moto installed.
    #[arg(long)]
    python: PathBuf,
    /// A folder of documents for the embedded agents.
    #[arg(long)]
    corpus: PathBuf,
    /// The tests of the adapters for AWS, as a program.
    #[arg(long)]
    adapter_tests: PathBuf,
    /// Where logs and executions go; emptied before.
    #[arg(long)]
    folder: PathBuf,
    /// Seconds for which storage fails while callbacks are delivered.
    #[arg(long, default_value_t = 12)]
    outage: u64,
    /// What the kills follow from; random when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Scenarios, or the groups calm, outages and kills; all of them when none is named.
    only: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let folder = arguments.folder;
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("can't empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let seed = arguments.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
    let options = Options { outage: Duration::from_secs(arguments.outage), seed };

    let world = World::start(&Parts {
        template: arguments.template,
        programs: arguments.programs,
        durable: arguments.durable,
        python: arguments.python,
        corpus: arguments.corpus,
        adapter_tests: arguments.adapter_tests,
        folder: folder.clone(),
    })
    .await?;
    let report = play(&world, &arguments.only, options).await;
    world.stop().await;
    let report = report?;
    println!("{report}");
    if report.failures() > 0 {
        eprintln!("seed {seed}; what was logged is in {}", folder.display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
