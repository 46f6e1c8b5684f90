//! `durable stop`: ends an execution.

use std::process::ExitCode;

use clap::Args;
use durable_runtime::protocol::ErrorObject;
use serde_json::json;

use super::{CommandError, output};
use crate::client::EndpointArguments;

/// Stops an execution. One that has ended already stays as it is.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  durable stop checkout/order-17
  durable stop \"$ARN\" --error-type Cancelled --error-message 'the customer changed their mind'")]
pub(crate) struct Stop {
    /// The execution: its ARN, or FUNCTION/NAME.
    execution: String,
    #[command(flatten)]
    error: ErrorArguments,
    /// Print the service's own JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

/// An error to end something with.
#[derive(Args, Debug)]
pub(crate) struct ErrorArguments {
    /// The error's type, for programs.
    #[arg(long, value_name = "TYPE")]
    error_type: Option<String>,
    /// The error's message, for people.
    #[arg(long, value_name = "TEXT")]
    error_message: Option<String>,
    /// Anything else about it.
    #[arg(long, value_name = "TEXT")]
    error_data: Option<String>,
}

impl ErrorArguments {
    pub(super) fn into_error(self) -> ErrorObject {
        ErrorObject {
            error_type: self.error_type,
            error_message: self.error_message,
            error_data: self.error_data,
            stack_trace: None,
        }
    }
}

impl Stop {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let api = self.endpoint.connect().await?;
        let arn = api.resolve(&self.execution).await?;
        let ended_at = api.stop(&arn, &self.error.into_error()).await?;
        if self.json {
            let seconds = ended_at.as_millis() as f64 / 1000.0;
            output::print_json(&json!({ "DurableExecutionArn": arn, "StopTimestamp": seconds }))?;
        } else {
            let execution = api.execution(&arn).await?;
            output::print_line(&format!("{} since {}", execution.status, output::moment(ended_at)))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
