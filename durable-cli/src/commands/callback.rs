//! `durable callback`: completes callbacks.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::{CommandError, output, start::read_text, stop::ErrorArguments};
use crate::client::EndpointArguments;

/// Completes a callback, or says that its work goes on.
#[derive(Args, Debug)]
#[command(after_help = "\
Callback ids are shown by `durable show` and `durable history`.

Examples:
  durable callback succeed 000000000000002f00000001c0ffee0123456789 '{\"approved\":true}'
  durable callback succeed \"$ID\" @answer.json
  durable callback fail \"$ID\" --error-type Rejected --error-message 'not in this quarter'
  durable callback heartbeat \"$ID\"")]
pub(crate) struct Callback {
    #[command(subcommand)]
    how: How,
}

#[derive(Debug, Subcommand)]
enum How {
    /// Completes it with a result.
    Succeed {
        /// The callback's id.
        id: String,
        /// The result, verbatim; @FILE for a file's content, - for standard input. Default: none.
        result: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Completes it with an error.
    Fail {
        /// The callback's id.
        id: String,
        #[command(flatten)]
        error: ErrorArguments,
        #[command(flatten)]
        common: Common,
    },
    /// Restarts its heartbeat timeout.
    Heartbeat {
        /// The callback's id.
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args, Debug)]
struct Common {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

impl Callback {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let (common, id, done) = match self.how {
            How::Succeed { id, result, common } => {
                let result = result.as_deref().map(read_text).transpose()?.unwrap_or_default();
                common.endpoint.connect().await?.callback_succeed(&id, result.into_bytes()).await?;
                (common, id, "succeeded")
            }
            How::Fail { id, error, common } => {
                common.endpoint.connect().await?.callback_fail(&id, &error.into_error()).await?;
                (common, id, "failed")
            }
            How::Heartbeat { id, common } => {
                common.endpoint.connect().await?.callback_heartbeat(&id).await?;
                (common, id, "is alive")
            }
        };
        if common.json {
            output::print_json(&json!({ "CallbackId": id }))?;
        } else {
            output::print_line(&format!("callback {id} {done}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
