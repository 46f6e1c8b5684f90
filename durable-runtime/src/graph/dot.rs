//! Graphviz.

use std::fmt::Write as _;

use super::{
    Kind,
    flow::{Flow, Shape},
};

pub(super) fn render(flow: &Flow) -> String {
    let mut text = "digraph {\n    node [fontname=\"sans-serif\"];\n".to_owned();
    frame(flow, None, 1, &mut text);
    for edge in &flow.edges {
        let style = if edge.dashed { ", style=dashed" } else { "" };
        writeln!(text, "    n{} -> n{} [label={}{style}];", edge.from, edge.to, quoted(&edge.label))
            .expect("text can be written");
    }
    text.push_str("}\n");
    text
}

fn frame(flow: &Flow, of: Option<usize>, depth: usize, text: &mut String) {
    let indent = "    ".repeat(depth);
    for (index, vertex) in flow.vertices.iter().enumerate().filter(|(_, vertex)| vertex.frame == of) {
        writeln!(text, "{indent}n{index} [label={}, shape={}];", quoted(&vertex.label), shape(vertex.shape))
            .expect("text can be written");
    }
    for (index, inner) in flow.frames.iter().enumerate().filter(|(_, inner)| inner.outer == of) {
        writeln!(text, "{indent}subgraph cluster_{index} {{\n{indent}    label={};", quoted(&inner.label))
            .expect("text can be written");
        frame(flow, Some(index), depth + 1, text);
        writeln!(text, "{indent}}}").expect("text can be written");
    }
}

const fn shape(shape: Shape) -> &'static str {
    match shape {
        Shape::Terminal => "oval",
        Shape::Decision => "diamond",
        Shape::Bar => "point",
        Shape::Operation(Kind::Wait | Kind::Condition) => "ellipse",
        Shape::Operation(Kind::Callback) => "hexagon",
        Shape::Operation(Kind::Invoke) => "component",
        Shape::Operation(_) => "box",
    }
}

fn quoted(label: &str) -> String {
    format!("\"{}\"", label.replace('\\', "\\\\").replace('"', "\\\""))
}
