//! `workflows graph`: the shape of a workflow, which is a constant of this program.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use durable_runtime::graph::{Graph, graph};

use super::{CliError, Common};
use crate::{
    callback::{Request, callback_handler},
    research::{Job, research_workflow},
};

#[derive(Debug, Args)]
pub(super) struct GraphArguments {
    /// Which workflow
    #[arg(value_enum, default_value = "research")]
    workflow: Workflow,
    /// The language of the drawing
    #[arg(long, value_enum, default_value = "mermaid")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Workflow {
    Research,
    Callback,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Mermaid,
    Dot,
    Svg,
}

pub(super) fn run(common: &Common, arguments: &GraphArguments) -> Result<ExitCode, CliError> {
    let graph = arguments.workflow.graph();
    let drawn = match arguments.format {
        Format::Mermaid => graph.to_mermaid(),
        Format::Dot => graph.to_dot(),
        Format::Svg => graph.to_svg(),
    };
    super::print(common, &drawn, Clone::clone)?;
    Ok(ExitCode::SUCCESS)
}

impl Workflow {
    fn graph(self) -> Graph {
        match self {
            Self::Research => graph(&|job: Job| research_workflow(unneeded(), job)),
            Self::Callback => graph(&|request: Request| callback_handler(unneeded(), request)),
        }
    }
}

/// Stands for an argument of a function that is only drawn.
fn unneeded<T>() -> T {
    unreachable!("a graph is known without a call")
}

#[cfg(test)]
mod tests {
    use durable_testing::assert_graph;

    use super::*;

    #[test]
    fn the_shapes_of_the_workflows_are_as_committed() {
        assert_graph(|job: Job| research_workflow(unneeded(), job), "tests/graphs/research.mmd");
        assert_graph(|request: Request| callback_handler(unneeded(), request), "tests/graphs/callback.mmd");
    }
}
