//! The command line.

mod agents;
mod attach;
mod control;
mod dead_letters;
mod decide;
mod follow;
mod graph;
mod inspect;
mod progress;
mod question;
mod render;
mod research;
mod serve;
mod signals;

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};
use serde::Serialize;

use crate::{
    config::ConfigError,
    host::{DataDirError, HostError, ServiceError},
    http::ApiError,
};

/// Research a topic with three agents and your approval; durable, on this machine, offline.
#[derive(Debug, Parser)]
#[command(name = "workflows", version, after_help = EXAMPLES, subcommand_required = true, arg_required_else_help = true)]
pub struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  workflows research \"structured concurrency\"
  workflows research \"structured concurrency\" --resume
  workflows research \"error handling\" --corpus ~/notes --approve --word-limit 800
  workflows list
  workflows show ID
  workflows approve ID --comment \"go ahead\"
  workflows serve
  workflows graph --format svg > research.svg

Environment:
  APPROVAL_TIMEOUT_HOURS           how long a reviewer has (24)
  APPROVAL_WEBHOOK_URL             notifications are posted there too
  AGENT_HEARTBEAT_TIMEOUT_SECONDS  how long an agent may stay silent (as long as its phase lasts)
  HISTORY_RETENTION_DAYS           how long operations of what has ended can be shown (14)
  CALLBACK_API_KEY                 senders of callbacks have to present it in x-api-key
  CALLBACK_HMAC_SECRET             senders of callbacks have to sign their bodies
  CALLBACK_WEBHOOK_URLS            who is told of callbacks; http:// URLs, separated by commas
  CALLBACK_WEBHOOK_SECRET          what they check its signature with
  LLM_API_KEY                      bearer token for --llm-url
  RUST_LOG                         what is logged (info)";

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The directory that holds everything: databases, artifacts, reports, the agents' state
    #[arg(long, global = true, value_name = "DIR", default_value = "research-data")]
    data: PathBuf,
    /// Print JSON on standard output
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Research a topic and write a report with citations
    Research(Box<research::ResearchArguments>),
    /// List workflows, newest first
    List(inspect::ListArguments),
    /// Show one workflow: steps, times, attempts, waits, errors
    Show(inspect::ShowArguments),
    /// Approve a workflow that waits for it
    Approve(decide::ApproveArguments),
    /// Reject a workflow that waits for approval
    Reject(decide::RejectArguments),
    /// Cancel a workflow
    Cancel(decide::CancelArguments),
    /// Serve the HTTP API and the callback endpoint on the loopback interface
    Serve(serve::ServeArguments),
    /// Draw a workflow: its operations, branches, loops and ways out
    Graph(graph::GraphArguments),
    /// List callbacks that could not be delivered, or deliver them again
    DeadLetters(dead_letters::DeadLettersArguments),
}

/// Runs a command to its exit code. Errors are printed, each as one line on standard error.
pub async fn run(arguments: Arguments) -> ExitCode {
    let common = arguments.common;
    let outcome = match arguments.command {
        Command::Research(arguments) => research::run(&common, *arguments).await,
        Command::List(arguments) => inspect::list(&common, arguments).await,
        Command::Show(arguments) => inspect::show(&common, &arguments).await,
        Command::Approve(arguments) => decide::approve(&common, arguments).await,
        Command::Reject(arguments) => decide::reject(&common, arguments).await,
        Command::Cancel(arguments) => decide::cancel(&common, &arguments).await,
        Command::Serve(arguments) => serve::run(&common, arguments).await,
        Command::Graph(arguments) => graph::run(&common, &arguments),
        Command::DeadLetters(arguments) => dead_letters::run(&common, &arguments).await,
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            if common.json {
                let _ = writeln!(std::io::stdout(), "{}", serde_json::json!({ "error": error.message }));
            }
            let _ = writeln!(std::io::stderr(), "error: {}", error.message);
            ExitCode::from(error.code)
        }
    }
}

/// What ends a command early: a message for a person and an exit code.
#[derive(Debug)]
pub(crate) struct CliError {
    message: String,
    code: u8,
}

impl CliError {
    /// Something did not work.
    fn failure(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 1 }
    }

    /// What was asked for makes no sense.
    fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 2 }
    }
}

macro_rules! failures_from {
    ($($error:ty),+) => {$(
        impl From<$error> for CliError {
            fn from(error: $error) -> Self {
                Self::failure(error)
            }
        }
    )+};
}

failures_from!(ConfigError, DataDirError, HostError, ApiError, std::io::Error);

impl From<ServiceError> for CliError {
    fn from(error: ServiceError) -> Self {
        match &error {
            // Here the reader of the message is the operator.
            ServiceError::Unavailable { detail, .. } => Self::failure(format!("{error}: {detail}")),
            _ => Self::failure(error),
        }
    }
}

/// Prints a value as JSON, or what `text` makes of it. A closed pipe, as from `head`, is no error.
fn print<T: Serialize>(common: &Common, value: &T, text: impl FnOnce(&T) -> String) -> Result<(), CliError> {
    let output = if common.json {
        serde_json::to_string_pretty(value).map_err(CliError::failure)?
    } else {
        text(value)
    };
    match writeln!(std::io::stdout(), "{}", output.trim_end()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// True when a person is there to watch and to answer.
fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// This program as it was called, for commands that a person can copy.
fn program() -> String {
    quoted(&std::env::args().next().unwrap_or_else(|| "workflows".to_owned()))
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty()
        && word.chars().all(|character| character.is_ascii_alphanumeric() || "-_./:=".contains(character));
    if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("plain-word"), "plain-word");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted("$HOME"), "'$HOME'");
    }
}
