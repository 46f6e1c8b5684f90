//! The shape of the function instead of serving it, in a process that was started for that: by `durable graph`.

use std::{env, io::Write as _};

use super::{Error, HandlerError};
use crate::graph::Graph;

/// Says in which language the graph is wanted: `mermaid`, `dot` or `svg`.
const VARIABLE: &str = "DURABLE_GRAPH";

/// Prints the graph, if that is what this process is to do. Gives whether it was.
pub(super) fn printed(graph: &Graph) -> Result<bool, Error> {
    let Some(language) = env::var_os(VARIABLE) else { return Ok(false) };
    let drawn = drawn(graph, &language.to_string_lossy())?;
    std::io::stdout().write_all(drawn.as_bytes())?;
    Ok(true)
}

fn drawn(graph: &Graph, language: &str) -> Result<String, HandlerError> {
    match language {
        "mermaid" => Ok(graph.to_mermaid()),
        "dot" => Ok(graph.to_dot()),
        #[cfg(feature = "svg")]
        "svg" => Ok(graph.to_svg()),
        #[cfg(not(feature = "svg"))]
        "svg" => {
            Err(unknown("this program can't draw SVG: build it with the feature `svg` of durable-runtime"))
        }
        other => Err(unknown(format!("`{VARIABLE}={other}`: graphs are drawn as `mermaid`, `dot` or `svg`"))),
    }
}

fn unknown(message: impl Into<String>) -> HandlerError {
    HandlerError::new("UnknownGraphLanguage", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::step::Meta;

    const META: Meta = Meta { name: "checkout", file: "shop.rs", line: 7, version: 1, graph: &[] };

    #[test]
    fn the_language_is_the_one_asked_for() {
        let graph = Graph::of(&META);
        assert_eq!(drawn(&graph, "mermaid").unwrap(), graph.to_mermaid());
        assert_eq!(drawn(&graph, "dot").unwrap(), graph.to_dot());
        let error = drawn(&graph, "ascii").unwrap_err().to_string();
        assert_eq!(error, "`DURABLE_GRAPH=ascii`: graphs are drawn as `mermaid`, `dot` or `svg`");
    }
}
