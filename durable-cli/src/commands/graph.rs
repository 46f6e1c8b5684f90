//! `durable graph`: the shape of a function.

use std::{process::ExitCode, process::Stdio, time::Duration};

use clap::{Args, ValueEnum};
use tokio::{process::Command, time::timeout};

use super::CommandError;

/// A program that knows nothing of graphs waits for invocations instead.
const PATIENCE: Duration = Duration::from_secs(10);

/// Draws the function of a program written with durable-runtime: its operations, branches, loops and ways out. None of
/// the function is run: its shape is a constant of the program, which prints it instead of serving.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  durable graph -- target/lambda/checkout/bootstrap
  durable graph --format svg -- target/lambda/checkout/bootstrap > checkout.svg

What the program does before it comes to `lambda::run` it does here too: one that reads its configuration first needs
that configuration.")]
pub(crate) struct Graph {
    /// The language of the drawing. SVG needs the program to be built with the feature `svg` of durable-runtime.
    #[arg(long, value_enum, default_value = "mermaid")]
    format: Format,
    /// The program, as Lambda starts it, and its arguments.
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Mermaid,
    Dot,
    Svg,
}

impl Format {
    /// What the program is asked for, and how its answer begins.
    const fn words(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Mermaid => ("mermaid", &["flowchart "]),
            Self::Dot => ("dot", &["digraph "]),
            Self::Svg => ("svg", &["<svg", "<?xml"]),
        }
    }
}

impl Graph {
    pub(crate) async fn run(self) -> Result<ExitCode, CommandError> {
        let (language, beginnings) = self.format.words();
        let shown = self.program.join(" ");
        let Some((program, arguments)) = self.program.split_first() else {
            return Err(CommandError::Usage("no program is given".to_owned()));
        };
        let child = Command::new(program)
            .args(arguments)
            .env("DURABLE_GRAPH", language)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| CommandError::File { what: format!("can't start `{program}`"), source })?;
        let output = match timeout(PATIENCE, child.wait_with_output()).await {
            Ok(output) => output?,
            Err(_) => return Err(no_graph(&shown, "it was still running after 10 s")),
        };
        if !output.status.success() {
            return Err(no_graph(&shown, &format!("it ended with {}", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        // What its `main` prints before is none of the graph.
        let begins = |line: &str| beginnings.iter().any(|beginning| line.starts_with(beginning));
        let Some(at) = text.lines().position(begins) else {
            return Err(no_graph(&shown, "it printed something else"));
        };
        let graph: Vec<_> = text.lines().skip(at).collect();
        super::output::print_line(&graph.join("\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn no_graph(program: &str, what: &str) -> CommandError {
    CommandError::Usage(format!(
        "`{program}` gave no graph: {what}; it has to be a program of durable-runtime that comes to `lambda::run`"
    ))
}
