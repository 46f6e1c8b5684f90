//! `durable list`: executions.

use std::{process::ExitCode, time::SystemTime};

use clap::Args;
use durable_runtime::{IntoDuration as _, protocol::Timestamp};
use serde_json::json;

use super::{CommandError, output};
use crate::client::{EndpointArguments, Execution, ListQuery};

/// Lists executions, newest first.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  durable list checkout --endpoint http://127.0.0.1:9014
  durable list checkout --status RUNNING --since 1h
  durable list checkout --json | jq -r '.DurableExecutions[].DurableExecutionArn'")]
pub(crate) struct List {
    /// The function; without one, all functions of a `durable dev` server.
    function: Option<String>,
    /// Only executions with this status: RUNNING, PAUSING, PAUSED, SUCCEEDED, FAILED, TIMED_OUT or STOPPED. Can be
    /// repeated.
    #[arg(long = "status", value_name = "STATUS", ignore_case = true,
          value_parser = ["RUNNING", "PAUSING", "PAUSED", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"])]
    statuses: Vec<String>,
    /// Only the execution with this name.
    #[arg(long)]
    name: Option<String>,
    /// Only executions started since then: an ISO 8601 timestamp, or a duration such as 1h or 7d.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    since: Option<Timestamp>,
    /// Only executions started until then.
    #[arg(long, value_name = "WHEN", value_parser = when)]
    until: Option<Timestamp>,
    /// Oldest first.
    #[arg(long)]
    reverse: bool,
    /// No more than this many for each function.
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    limit: usize,
    /// Print the service's own JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

fn when(text: &str) -> Result<Timestamp, String> {
    if let Some(moment) = Timestamp::parse_iso(text) {
        return Ok(moment);
    }
    let ago = text.into_duration().map_err(|_| {
        "write an ISO 8601 timestamp such as 2026-01-31T12:00:00Z, or a duration such as 1h or 7d".to_owned()
    })?;
    Ok(SystemTime::now().checked_sub(ago).ok_or("that is too long ago")?.into())
}

impl List {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let api = self.endpoint.connect().await?;
        let functions = match &self.function {
            Some(function) => vec![function.clone()],
            None => api.functions().await?,
        };
        let statuses: Vec<String> = self.statuses.iter().map(|status| status.to_ascii_uppercase()).collect();
        let query = ListQuery {
            name: self.name.as_deref(),
            statuses: &statuses,
            since: self.since,
            until: self.until,
            oldest_first: self.reverse,
            limit: self.limit,
        };
        let mut executions = Vec::new();
        for function in &functions {
            executions.extend(api.list(function, &query).await?);
        }
        if functions.len() > 1 {
            executions.sort_by_key(|execution| execution.start_timestamp);
            if !self.reverse {
                executions.reverse();
            }
        }
        if self.json {
            let raw: Vec<_> = executions.iter().map(|execution| &execution.raw).collect();
            output::print_json(&json!({ "DurableExecutions": raw }))?;
        } else {
            print(&executions)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(executions: &[Execution]) -> std::io::Result<()> {
    if executions.is_empty() {
        return output::print_line("no executions");
    }
    let header = ["STATUS", "STARTED", "TIME", "EXECUTION"].map(str::to_owned).to_vec();
    let now = Timestamp::from(SystemTime::now());
    let rows = executions.iter().map(|execution| {
        let until = execution.end_timestamp.unwrap_or(now);
        vec![
            execution.status.clone(),
            output::moment(execution.start_timestamp),
            output::amount(until.since(execution.start_timestamp)),
            format!("{}/{}", execution.function(), execution.name),
        ]
    });
    output::print_table(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
}
