//! `serve`

use std::process::ExitCode;

use clap::Args;

use super::{CliError, Common, agents::AgentOptions, print, signals::interrupt};
use crate::{
    config::Config,
    host::{DataDir, Host, HostOptions},
    telemetry,
};

/// Serve the HTTP API.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ServeArguments {
    /// The port on 127.0.0.1; by default the one of the last time, or a free one
    #[arg(long)]
    port: Option<u16>,
    #[command(flatten)]
    agents: AgentOptions,
}

const EXAMPLES: &str = "\
Example:
  workflows serve --port 8080
  curl -X POST http://127.0.0.1:8080/workflows -d '{\"topic\": \"structured concurrency\"}'

Calls:
  POST   /workflows                  start; with an Idempotency-Key header only once
  GET    /workflows                  list; ?status= &limit= &cursor=
  GET    /workflows/{id}             one workflow
  GET    /workflows/{id}/operations  with the operations of its execution
  POST   /workflows/{id}/approval    {\"approved\": true, \"comment\": \"...\"}
  DELETE /workflows/{id}             cancel
  POST   /callbacks                  what agents send
  GET    /dead-letters               callbacks that could not be delivered
  POST   /dead-letters/redrive       deliver them again";

pub(super) async fn run(common: &Common, arguments: ServeArguments) -> Result<ExitCode, CliError> {
    let config = Config::from_env()?;
    let given = arguments.agents.checked()?;
    let directory = DataDir::create(&common.data)?;
    telemetry::log_to_stderr();
    // Workflows that have not ended go on with the agents they began with, unless others are named.
    let agents = given.or(AgentOptions::remembered_in(directory.root()));
    agents.remember_in(&directory)?;
    let agents = agents.into_choice();
    let host = Host::start(HostOptions { directory, config, agents, port: arguments.port }).await?;
    let url = host.url().unwrap_or_default();
    print(common, &serde_json::json!({ "url": url }), |_| format!("listening on {url}"))?;
    interrupt().await;
    host.shutdown().await;
    Ok(ExitCode::SUCCESS)
}
