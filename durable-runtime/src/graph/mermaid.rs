//! Mermaid's flowcharts.

use std::fmt::Write as _;

use super::{
    Kind,
    flow::{Flow, Shape},
};

pub(super) fn render(flow: &Flow) -> String {
    let mut text = "flowchart TD\n".to_owned();
    frame(flow, None, 1, &mut text);
    for edge in &flow.edges {
        let (line, label) = (if edge.dashed { "-.->" } else { "-->" }, quoted(&edge.label));
        let label = if edge.label.is_empty() { String::new() } else { format!("|{label}|") };
        writeln!(text, "    n{} {line}{label} n{}", edge.from, edge.to).expect("text can be written");
    }
    text
}

/// The vertices of a frame, and the frames inside of it.
fn frame(flow: &Flow, of: Option<usize>, depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    for (index, vertex) in flow.vertices.iter().enumerate().filter(|(_, vertex)| vertex.frame == of) {
        let (open, close) = match vertex.shape {
            Shape::Terminal => ("([", "])"),
            Shape::Decision => ("{", "}"),
            Shape::Bar => ("((", "))"),
            Shape::Operation(Kind::Wait | Kind::Condition) => ("(", ")"),
            Shape::Operation(Kind::Callback) => ("{{", "}}"),
            Shape::Operation(Kind::Invoke) => ("[[", "]]"),
            Shape::Operation(_) => ("[", "]"),
        };
        let label = if vertex.label.is_empty() { " " } else { &vertex.label };
        writeln!(text, "{indent}n{index}{open}{}{close}", quoted(label)).expect("text can be written");
    }
    for (index, inner) in flow.frames.iter().enumerate().filter(|(_, inner)| inner.outer == of) {
        writeln!(text, "{indent}subgraph f{index}[{}]", quoted(&inner.label)).expect("text can be written");
        frame(flow, Some(index), depth + 1, text);
        writeln!(text, "{indent}end").expect("text can be written");
    }
}

/// Mermaid has no escapes inside of quotes but its own entities.
fn quoted(label: &str) -> String {
    format!(
        "\"{}\"",
        label.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
    )
}
