//! A picture, laid out by the crate `layout-rs`. It knows no frames: their labels stand at their first vertex.

use layout::{
    backends::svg::SVGWriter,
    core::{
        base::Orientation,
        geometry::Point,
        style::{LineStyleKind, StyleAttr},
    },
    std_shapes::shapes::{Arrow, Element, ShapeKind},
    topo::layout::VisualGraph,
};

use super::flow::{Flow, Shape};

const FONT_SIZE: f64 = 15.0;

pub(super) fn render(flow: &Flow) -> String {
    let mut picture = VisualGraph::new(Orientation::TopToBottom);
    let mut labelled = vec![false; flow.frames.len()];
    let mut handles = Vec::with_capacity(flow.vertices.len());
    for vertex in &flow.vertices {
        let mut label = vertex.label.as_str();
        if let Some(frame) = vertex.frame
            && let (Some(named @ false), Some(inside)) = (labelled.get_mut(frame), flow.frames.get(frame))
        {
            *named = true;
            label = if label.is_empty() { &inside.label } else { label };
        }
        let shape = match vertex.shape {
            Shape::Decision | Shape::Operation(_) => ShapeKind::new_box(label),
            Shape::Terminal | Shape::Bar => ShapeKind::new_circle(label),
        };
        let look = StyleAttr {
            rounded: if vertex.shape == Shape::Decision { 12 } else { 0 },
            ..StyleAttr::simple()
        };
        let width = (label.chars().count() as f64 * FONT_SIZE * 0.6).max(FONT_SIZE) + 2.0 * FONT_SIZE;
        let size = Point::new(width, 2.0 * FONT_SIZE);
        handles.push(picture.add_node(Element::create(shape, look, Orientation::TopToBottom, size)));
    }
    for edge in &flow.edges {
        let (Some(from), Some(to)) = (handles.get(edge.from), handles.get(edge.to)) else { continue };
        let mut arrow = Arrow::simple(&edge.label);
        if edge.dashed {
            arrow.line_style = LineStyleKind::Dashed;
        }
        picture.add_edge(arrow, *from, *to);
    }
    let mut svg = SVGWriter::new();
    picture.do_it(false, false, false, &mut svg);
    svg.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, Kind, Node};

    #[test]
    fn draws_every_vertex_and_keeps_labels_apart_from_markup() {
        const CALL: Node = Node::Operation { kind: Kind::Call, name: "a < b & c", line: 1 };
        const SCOPE: Node = Node::Scope { kind: Kind::Map, name: "each", line: 2, nodes: &[CALL] };
        let graph = Graph { name: "f", file: "f.rs", line: 1, nodes: &[CALL, SCOPE] };
        let svg = render(&Flow::of(&graph));
        assert!(svg.contains("<svg") && svg.contains("map each"), "{svg}");
        assert_eq!(svg.matches("a &lt; b &amp; c").count(), 2, "{svg}");
    }
}
