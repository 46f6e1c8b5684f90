//! Tries all requirements, in this process or at an endpoint, and says what became of them.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
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
    #[arg(long, default_value_t = 24)]
    concurrency: usize,
    /// A folder of requirements; can be repeated [default: AWS's and our own].
    #[arg(long)]
    requirements: Vec<PathBuf>,
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
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = match run.requirements.as_slice() {
        [] => vec![own.join("requirements"), own.join("beyond")],
        named => named.to_vec(),
    };
    let is_wanted = |requirement: &Requirement| {
        let is_named = |name: &String| *name == requirement.id || *name == requirement.suite;
        run.only.is_empty() || run.only.iter().any(is_named)
    };
    let mut tried = 0;
    let mut failures = 0;
    for folder in folders {
        let mut requirements = load_all(&folder)?;
        requirements.retain(is_wanted);
        if requirements.is_empty() {
            continue;
        }
        tried += requirements.len();
        let report = match &run.endpoint {
            Some(url) => at_endpoint(&requirements, url, &run).await?,
            None => in_process(requirements),
        };
        failures += report.failures();
        println!("{}\n{report}", folder.display());
    }
    anyhow::ensure!(tried > 0, "there is no such requirement");
    Ok(if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn at_endpoint(requirements: &[Requirement], url: &str, run: &Run) -> Result<Report> {
    let logs = if run.without_logs { Logs::Unknown } else { Logs::DevelopmentServer };
    let endpoint = &RestEndpoint::new(url, logs)?;
    let mut report = Report::default();
    let mut verdicts = stream::iter(requirements)
        .map(|requirement| async move { (requirement, judge(requirement, endpoint).await) })
        .buffered(run.concurrency.max(1));
    while let Some((requirement, verdict)) = verdicts.next().await {
        report.note(requirement, verdict);
    }
    Ok(report)
}

fn in_process(requirements: Vec<Requirement>) -> Report {
    let mut report = Report::default();
    for requirement in requirements {
        // Virtual time wants a runtime, and so a thread, of its own.
        let trial = std::thread::spawn(move || {
            let verdict = judge_in_process(&requirement);
            (requirement, verdict)
        });
        let (requirement, verdict) = trial.join().expect("a trial reports what is wrong, and never panics");
        report.note(&requirement, verdict);
    }
    report
}
