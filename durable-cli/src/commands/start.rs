//! `durable start`: starts an execution.

use std::{fs, io::Read as _, process::ExitCode};

use clap::Args;
use serde_json::json;

use super::{
    CommandError,
    follow::{self, Progress},
    output,
};
use crate::client::{EndpointArguments, StartRequest};

/// Starts an execution and prints its ARN.
#[derive(Args, Debug)]
#[command(after_help = "\
Starting again with the same name and the same input gives the execution that exists.

Examples:
  durable start checkout '{\"id\":17,\"cents\":950}' --name order-17
  durable start checkout @order.json --follow
  echo '17' | durable start checkout - --wait")]
pub(crate) struct Start {
    /// The function: a name or an ARN.
    function: String,
    /// The input, as JSON; @FILE for a file's content, - for standard input.
    #[arg(default_value = "{}")]
    input: String,
    /// The execution's name [default: a generated one].
    #[arg(long)]
    name: Option<String>,
    /// The function's version or alias.
    #[arg(long, default_value = "$LATEST")]
    qualifier: String,
    /// The tenant it runs for.
    #[arg(long)]
    tenant: Option<String>,
    /// Wait for its end and print its result.
    #[arg(long)]
    wait: bool,
    /// Show its events until its end.
    #[arg(long, short)]
    follow: bool,
    /// Print JSON: the ARN; with --follow one document for each event; with --wait or --follow the execution.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    endpoint: EndpointArguments,
}

/// Text from the command line: itself, `@file`, or `-` for standard input.
pub(super) fn read_text(argument: &str) -> Result<String, CommandError> {
    let file = |what: String| move |source| CommandError::File { what, source };
    if argument == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(file("can't read standard input".into()))?;
        return Ok(text);
    }
    match argument.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(file(format!("can't read {path}"))),
        None => Ok(argument.to_owned()),
    }
}

impl Start {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let input = read_text(&self.input)?;
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&input) {
            return Err(CommandError::Usage(format!(
                "the input is not JSON: {error}; quote texts, as '\"text\"'"
            )));
        }
        let api = self.endpoint.connect().await?;
        let request = StartRequest {
            function: &self.function,
            qualifier: &self.qualifier,
            name: self.name.as_deref(),
            tenant: self.tenant.as_deref(),
            input,
        };
        let arn = api.start(request).await?;
        let progress = match (self.follow, self.json) {
            (false, _) => Progress::Nothing,
            (true, false) => Progress::Lines,
            (true, true) => Progress::JsonLines,
        };
        if !self.wait && !self.follow {
            if self.json {
                output::print_json(&json!({ "DurableExecutionArn": arn }))?;
            } else {
                output::print_line(&arn)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        if !self.json {
            eprintln!("{arn}");
        }
        let ended = follow::until_end(&api, &arn, progress).await?;
        if self.json {
            output::print_json_line(&ended.raw)?;
            return Ok(follow::exit_code(&ended));
        }
        follow::print_end(&ended)
    }
}
