//! `durable show`: one execution and its timeline.

use std::{process::ExitCode, time::SystemTime};

use clap::Args;
use durable_runtime::protocol::Timestamp;

use super::{CommandError, output, timeline::Timeline};
use crate::client::{EndpointArguments, Event, Execution, HistoryQuery};

/// Characters of a value on a line.
const VALUE: usize = 200;

/// Shows an execution: how it stands, and when each of its operations ran.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  durable show checkout/order-17
  durable show \"$ARN\" --json | jq .Status")]
pub(crate) struct Show {
    /// The execution: its ARN, or FUNCTION/NAME.
    execution: String,
    /// Print the service's own JSON, with the events under `Events`.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

impl Show {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let api = self.endpoint.connect().await?;
        let arn = api.resolve(&self.execution).await?;
        let execution = api.execution(&arn).await?;
        let events = api.history(&arn, HistoryQuery::default()).await?;
        if self.json {
            let mut document = execution.raw.as_object().cloned().unwrap_or_default();
            document.insert("Events".into(), events.iter().map(|event| event.raw.clone()).collect());
            output::print_json(&document)?;
        } else {
            print(&execution, &events)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(execution: &Execution, events: &[Event]) -> std::io::Result<()> {
    let now = Timestamp::from(SystemTime::now());
    let until = execution.end_timestamp.unwrap_or(now);
    let invocations = events.iter().filter(|event| event.event_type == "InvocationCompleted").count();
    output::print_line(&format!(
        "{}/{}  {}  {} in {invocations} invocation{}",
        execution.function(),
        execution.name,
        execution.status,
        output::amount(until.since(execution.start_timestamp)),
        if invocations == 1 { "" } else { "s" },
    ))?;
    output::print_line(&execution.arn)?;
    output::print_line(&format!("started {}", output::moment(execution.start_timestamp)))?;
    if let Some(pause) = &execution.pause_details {
        let reason = pause.reason.as_deref().map(|reason| format!(": {}", output::shortened(reason, VALUE)));
        let since = output::moment(pause.pause_request_timestamp);
        output::print_line(&format!("paused  {since}{}", reason.unwrap_or_default()))?;
    }
    if let Some(input) = &execution.input_payload {
        output::print_line(&format!("input   {}", output::shortened(input, VALUE)))?;
    }
    let timeline = Timeline::new(events, execution.start_timestamp, until);
    if !timeline.is_empty() {
        output::print_line("")?;
        output::print_table(&timeline.rows())?;
        output::print_line("")?;
    }
    if let Some(result) = &execution.result {
        output::print_line(&format!("result  {}", output::shortened(result, VALUE)))?;
    }
    if let Some(error) = &execution.error {
        output::print_line(&format!("error   {}", output::shortened(&error.to_string(), VALUE)))?;
    }
    Ok(())
}
