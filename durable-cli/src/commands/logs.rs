//! `durable logs`: what an execution's invocations wrote.

use std::{process::ExitCode, time::Duration};

use clap::Args;

use super::{CommandError, output};
use crate::client::EndpointArguments;

/// How often a followed log is asked for.
const INTERVAL: Duration = Duration::from_millis(500);

/// Shows what the function wrote to stdout and stderr during an execution. For `durable dev` servers: on AWS,
/// logs are in CloudWatch.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  durable logs checkout/order-17
  durable logs \"$ARN\" --follow
  durable logs \"$ARN\" --json | jq -r 'select(.Stream == \"stderr\") | .Text'")]
pub(crate) struct Logs {
    /// The execution: its ARN, or FUNCTION/NAME.
    execution: String,
    /// Go on until the execution has ended.
    #[arg(long, short)]
    follow: bool,
    /// Print one JSON document for each line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

impl Logs {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let api = self.endpoint.connect().await?;
        let arn = api.resolve(&self.execution).await?;
        let mut shown = 0;
        loop {
            // Asked first: what is written before the end is then in the lines that follow.
            let ended = !self.follow || api.execution(&arn).await?.has_ended();
            let lines = api.logs(&arn, shown).await?;
            shown += lines.len();
            for line in &lines {
                if self.json {
                    output::print_json_line(line)?;
                } else {
                    output::print_line(&format!("{}  {}", output::moment(line.time), line.text))?;
                }
            }
            if ended {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
