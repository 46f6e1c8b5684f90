//! `durable pause` and `durable resume`.

use std::process::ExitCode;

use clap::Args;

use super::{CommandError, output};
use crate::client::{Api, EndpointArguments};

/// Pauses an execution: its function is not invoked until it is resumed. Waits, callbacks and invoked functions go on.
#[derive(Args, Debug)]
#[command(after_help = "\
A running invocation goes on to its next checkpoint: until then the execution is PAUSING.

Examples:
  durable pause checkout/order-17 --reason 'the payment provider is down'
  durable resume checkout/order-17")]
pub(crate) struct Pause {
    /// The execution: its ARN, or FUNCTION/NAME.
    execution: String,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Let the time limit of the execution go on meanwhile.
    #[arg(long)]
    keep_timeout: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

impl Pause {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let api = self.endpoint.connect().await?;
        let arn = api.resolve(&self.execution).await?;
        api.pause(&arn, self.reason.as_deref(), self.keep_timeout).await?;
        print_status(&api, &arn).await
    }
}

/// Lets a paused execution go on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  durable resume checkout/order-17 --reason 'the payment provider is back'")]
pub(crate) struct Resume {
    /// The execution: its ARN, or FUNCTION/NAME.
    execution: String,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

impl Resume {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let api = self.endpoint.connect().await?;
        let arn = api.resolve(&self.execution).await?;
        api.resume(&arn, self.reason.as_deref()).await?;
        print_status(&api, &arn).await
    }
}

async fn print_status(api: &Api, arn: &str) -> Result<ExitCode, CommandError> {
    output::print_line(&api.execution(arn).await?.status)?;
    Ok(ExitCode::SUCCESS)
}
