//! The command line: what can be written, and what runs then.

use std::{io::Write as _, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::commands::{self, CommandError};

/// Durable executions: a local Lambda service for development, and a client for it.
#[derive(Debug, Parser)]
#[command(name = "durable", version, propagate_version = true, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Dev(commands::dev::Dev),
    Start(commands::start::Start),
    List(commands::list::List),
    Show(commands::show::Show),
    History(commands::history::History),
    Logs(commands::logs::Logs),
    Graph(commands::graph::Graph),
    Pause(commands::pause::Pause),
    Resume(commands::pause::Resume),
    Stop(commands::stop::Stop),
    Delete(commands::delete::Delete),
    Callback(commands::callback::Callback),
    /// Prints a completion script for a shell.
    #[command(after_help = "\
Examples:
  durable completions bash > ~/.local/share/bash-completion/completions/durable
  source <(durable completions zsh)")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Runs what the command line says. The exit code is 0 when it worked, 1 when it did not, 2 when the command line is
/// none; `start --wait` and `start --follow` exit with 3 when
/// the execution did not succeed.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the asynchronous runtime can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(code) => code,
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode, CommandError> {
    match command {
        Command::Dev(command) => command.run().await,
        Command::Start(command) => command.run().await,
        Command::List(command) => command.run().await,
        Command::Show(command) => command.run().await,
        Command::History(command) => command.run().await,
        Command::Logs(command) => command.run().await,
        Command::Graph(command) => command.run().await,
        Command::Pause(command) => command.run().await,
        Command::Resume(command) => command.run().await,
        Command::Stop(command) => command.run().await,
        Command::Delete(command) => command.run().await,
        Command::Callback(command) => command.run().await,
        Command::Completions { shell } => {
            // Not straight to stdout: the generator panics when its reader goes away.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "durable", &mut script);
            std::io::stdout().write_all(&script)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
