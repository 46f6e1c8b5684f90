//! Tries all requirements, in this process or at an endpoint, and says what became of them.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use conformance::{
    drive::{Logs, RestEndpoint, judge_in_process},
    handlers,
    judge::{Requirement, judge, load_all},
    report::Report,
};
use futures_util::{StreamExt as _, stream};

/// The judge of AWS's conformance requirements for durable execution SDKs.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The names under which the functions have to be deployed, one on each line.
    Functions,
    /// Tries the requirements.
    Run(Run),
}

#[derive(clap::Args)]
struct Run {
    /// The URL of the REST API; without one, everything runs in this process in virtual time.
    #[arg(long)]
    endpoint: Option<String>,
    /// The endpoint is not the development server, so that logs can't be read.
    #[arg(long, requires = "endpoint")]
    without_logs: bool,
    /// Requirements that are tried at the same time at an endpoint.
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// The folder of the requirements.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/requirements"))]
    requirements: PathBuf,
    /// Ids such as 1-8, or suites such as step; all of them when none is named.
    only: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    match Arguments::parse().command {
        Command::Functions => {
            for handler in handlers::all() {
                println!("{}", handler.function_name());
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(run) => try_all(run).await,
    }
}

async fn try_all(run: Run) -> Result<ExitCode> {
    let mut requirements = load_all(&run.requirements)?;
    let is_named = |requirement: &Requirement| {
        run.only.iter().any(|name| *name == requirement.id || *name == requirement.suite)
    };
    requirements.retain(|requirement| run.only.is_empty() || is_named(requirement));
    anyhow::ensure!(!requirements.is_empty(), "there is no such requirement");

    let mut report = Report::default();
    match &run.endpoint {
        Some(url) => {
            let logs = if run.without_logs { Logs::Unknown } else { Logs::DevelopmentServer };
            let endpoint = RestEndpoint::new(url, logs)?;
            let trials = requirements.iter().map(|requirement| judge(requirement, &endpoint));
            let mut verdicts = stream::iter(trials).buffered(run.concurrency.max(1)).enumerate();
            while let Some((index, verdict)) = verdicts.next().await {
                report.note(requirements.get(index).context("there is a verdict for each requirement")?, verdict);
            }
        }
        None => {
            for requirement in requirements {
                // Virtual time wants a runtime, and so a thread, of its own.
                let trial = std::thread::spawn(move || {
                    let verdict = judge_in_process(&requirement);
                    (requirement, verdict)
                });
                let (requirement, verdict) = trial.join().expect("a trial reports what is wrong, and never panics");
                report.note(&requirement, verdict);
            }
        }
    }
    print!("{report}");
    Ok(if report.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
