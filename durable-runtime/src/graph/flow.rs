//! From what is written to vertices and edges: what every rendering needs.

use super::{Arm, Exit, Graph, Kind, Node};

/// A graph of vertices, edges and nested frames.
pub(super) struct Flow {
    pub(super) vertices: Vec<Vertex>,
    pub(super) edges: Vec<Edge>,
    pub(super) frames: Vec<Frame>,
}

pub(super) struct Vertex {
    pub(super) label: String,
    pub(super) shape: Shape,
    /// The innermost frame around it.
    pub(super) frame: Option<usize>,
}

/// What a vertex stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The beginning and the ends of the function.
    Terminal,
    Operation(Kind),
    /// A choice or the head of a loop.
    Decision,
    /// Where branches part or meet.
    Bar,
}

pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label: String,
    /// Taken by an error.
    pub(super) dashed: bool,
}

pub(super) struct Frame {
    pub(super) label: String,
    pub(super) outer: Option<usize>,
}

/// Edges that do not lead anywhere yet.
type Loose = Vec<(usize, String, bool)>;

struct Builder {
    flow: Flow,
    frame: Option<usize>,
    end: usize,
    failed: Option<usize>,
    /// The head of each loop around, and what has left it.
    loops: Vec<(usize, Loose)>,
    /// What has left each scope and each branch around: `?` and `return` end the innermost one.
    blocks: Vec<Loose>,
}

impl Flow {
    pub(super) fn of(graph: &Graph) -> Self {
        let terminal = |label: &str| Vertex { label: label.to_owned(), shape: Shape::Terminal, frame: None };
        let flow = Self {
            vertices: vec![terminal(graph.name), terminal("end")],
            edges: Vec::new(),
            frames: Vec::new(),
        };
        let mut builder =
            Builder { flow, frame: None, end: 1, failed: None, loops: Vec::new(), blocks: Vec::new() };
        let last = builder.sequence(graph.nodes, vec![(0, String::new(), false)]);
        builder.connect(last, builder.end);
        builder.flow
    }
}

impl Builder {
    fn vertex(&mut self, label: impl Into<String>, shape: Shape) -> usize {
        self.flow.vertices.push(Vertex { label: label.into(), shape, frame: self.frame });
        self.flow.vertices.len() - 1
    }

    fn connect(&mut self, loose: Loose, to: usize) {
        for (from, label, dashed) in loose {
            self.flow.edges.push(Edge { from, to, label, dashed });
        }
    }

    /// Runs `build` inside of a new frame.
    fn framed<T>(&mut self, label: String, build: impl FnOnce(&mut Self) -> T) -> T {
        self.flow.frames.push(Frame { label, outer: self.frame });
        let outer = self.frame.replace(self.flow.frames.len() - 1);
        let built = build(self);
        self.frame = outer;
        built
    }

    fn sequence(&mut self, nodes: &[Node], mut before: Loose) -> Loose {
        for node in nodes {
            before = self.node(node, before);
        }
        before
    }

    /// Adds a node behind `before`; gives the edges that lead on from it.
    fn node(&mut self, node: &Node, before: Loose) -> Loose {
        match *node {
            Node::Operation { kind, name, .. } => {
                let vertex = self.vertex(operation_label(kind, name), Shape::Operation(kind));
                self.connect(before, vertex);
                leading_on(vertex)
            }
            Node::Scope { kind, name, nodes, .. } => {
                let label = operation_label(kind, name);
                self.framed(label, |builder| {
                    let begin = builder.vertex("", Shape::Bar);
                    builder.connect(before, begin);
                    let last = builder.block(nodes, leading_on(begin));
                    let end = builder.vertex("", Shape::Bar);
                    builder.connect(last, end);
                    leading_on(end)
                })
            }
            Node::Parallel { name, branches, .. } => self.framed(name.to_owned(), |builder| {
                let fork = builder.vertex("", Shape::Bar);
                builder.connect(before, fork);
                let mut ends = Loose::new();
                for branch in branches {
                    let before = vec![(fork, branch.label.to_owned(), false)];
                    ends.extend(builder.block(branch.nodes, before));
                }
                let meet = builder.vertex("", Shape::Bar);
                builder.connect(ends, meet);
                leading_on(meet)
            }),
            Node::Choice { label, arms, .. } => {
                let decision = self.vertex(label, Shape::Decision);
                self.connect(before, decision);
                arms.iter().flat_map(|arm| self.arm(arm, decision)).collect()
            }
            Node::Loop { label, nodes, .. } => {
                let head = self.vertex(label, Shape::Decision);
                self.connect(before, head);
                self.loops.push((head, Loose::new()));
                let last = self.sequence(nodes, leading_on(head));
                self.connect(last, head);
                let mut after = self.loops.pop().map(|(_, left)| left).unwrap_or_default();
                if label != "loop" {
                    after.push((head, "done".to_owned(), false));
                }
                after
            }
            Node::Exit(exit) => self.exit(exit, before),
        }
    }

    /// Nodes that `?` and `return` end.
    fn block(&mut self, nodes: &[Node], before: Loose) -> Loose {
        self.blocks.push(Loose::new());
        let mut ends = self.sequence(nodes, before);
        ends.extend(self.blocks.pop().unwrap_or_default());
        ends
    }

    fn arm(&mut self, arm: &Arm, from: usize) -> Loose {
        self.sequence(arm.nodes, vec![(from, arm.label.to_owned(), false)])
    }

    fn exit(&mut self, exit: Exit, before: Loose) -> Loose {
        match exit {
            Exit::Error if !self.blocks.is_empty() => {
                let errors = before.iter().map(|(from, _, _)| (*from, "error".to_owned(), true));
                self.blocks.last_mut().into_iter().for_each(|block| block.extend(errors.clone()));
                before
            }
            Exit::Error => {
                let frame = self.frame.take();
                let failed = match self.failed {
                    Some(failed) => failed,
                    None => self.vertex("error", Shape::Terminal),
                };
                self.frame = frame;
                self.failed = Some(failed);
                let errors = before.iter().map(|(from, _, _)| (*from, String::new(), true)).collect();
                self.connect(errors, failed);
                before
            }
            Exit::Return => {
                match self.blocks.last_mut() {
                    Some(block) => block.extend(before),
                    None => self.connect(before, self.end),
                }
                Loose::new()
            }
            Exit::Break => {
                match self.loops.last_mut() {
                    Some((_, left)) => left.extend(before),
                    None => self.connect(before, self.end),
                }
                Loose::new()
            }
            Exit::Continue => {
                let head = self.loops.last().map_or(self.end, |(head, _)| *head);
                self.connect(before, head);
                Loose::new()
            }
        }
    }
}

fn leading_on(from: usize) -> Loose {
    vec![(from, String::new(), false)]
}

fn operation_label(kind: Kind, name: &str) -> String {
    let word = match kind {
        Kind::Call | Kind::Step | Kind::Value | Kind::Wait => return name.to_owned(),
        Kind::Callback => "callback",
        Kind::Invoke => "invoke",
        Kind::Map => "map",
        Kind::Condition => "until",
        Kind::Saga => "saga",
        Kind::Retry => "retry",
        Kind::Block => "block",
    };
    if name.is_empty() || name == word { word.to_owned() } else { format!("{word} {name}") }
}
