//! `durable history`: every event of an execution.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{CommandError, follow::describe, output};
use crate::client::{EndpointArguments, HistoryQuery};

/// Shows the events of an execution.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  durable history checkout/order-17
  durable history \"$ARN\" --reverse --limit 10
  durable history \"$ARN\" --json > history.json")]
pub(crate) struct History {
    /// The execution: its ARN, or FUNCTION/NAME.
    execution: String,
    /// Newest first.
    #[arg(long)]
    reverse: bool,
    /// No more than this many.
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Without inputs, results and errors.
    #[arg(long)]
    no_data: bool,
    /// Print the service's own JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

impl History {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let api = self.endpoint.connect().await?;
        let arn = api.resolve(&self.execution).await?;
        let query = HistoryQuery {
            with_data: !self.no_data,
            newest_first: self.reverse,
            limit: self.limit.unwrap_or(usize::MAX),
            ..HistoryQuery::default()
        };
        let events = api.history(&arn, query).await?;
        if self.json {
            let raw: Vec<_> = events.iter().map(|event| &event.raw).collect();
            output::print_json(&json!({ "Events": raw }))?;
        } else {
            let rows: Vec<_> = events
                .iter()
                .map(|event| {
                    vec![event.event_id.to_string(), output::moment(event.event_timestamp), describe(event)]
                })
                .collect();
            output::print_table(&rows)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
