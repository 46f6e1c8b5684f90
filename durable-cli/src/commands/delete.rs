//! `durable delete`: removes an execution that has ended.

use std::process::ExitCode;

use clap::Args;

use super::{CommandError, output};
use crate::client::EndpointArguments;

/// Removes an execution that has ended, with its history and its log.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  durable delete checkout/order-17
  durable list checkout --status FAILED --until 7d --json | jq -r '.DurableExecutions[].DurableExecutionArn' |
    xargs durable delete")]
pub(crate) struct Delete {
    /// The executions: their ARNs, or FUNCTION/NAME.
    #[arg(required = true)]
    executions: Vec<String>,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

impl Delete {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let api = self.endpoint.connect().await?;
        for execution in &self.executions {
            let arn = api.resolve(execution).await?;
            let accepted_at = api.delete(&arn).await?;
            output::print_line(&format!("{execution} deleted at {}", output::moment(accepted_at)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
