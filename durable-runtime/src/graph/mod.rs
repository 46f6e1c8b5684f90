//! The shape of durable functions, known without running them.
//!
//! `#[durable_execution]` also emits a constant: the operations of the function in the order of evaluation, its
//! branches, loops and early exits. It goes by what is written: an operation that is kept in a variable has the
//! variable's name, and what a helper function builds is not looked into.
//!
//! ```
//! use durable_runtime::{graph::graph, prelude::*};
//!
//! # #[durable_step] async fn charge(order: u64) -> Result<u64, Error> { Ok(order) }
//! # #[durable_step] async fn ship(receipt: u64) -> Result<u64, Error> { Ok(receipt) }
//! #[durable_execution]
//! async fn checkout(order: u64) -> Result<u64, Error> {
//!     let receipt = charge(order).await?;
//!     if receipt > 100 {
//!         wait("1h").await;
//!     }
//!     ship(receipt).await
//! }
//!
//! let mermaid = graph(&checkout).to_mermaid();
//! assert!(mermaid.starts_with("flowchart TD"));
//! ```

mod dot;
mod flow;
mod mermaid;
#[cfg(feature = "svg")]
mod svg;

use crate::{operations::step::Meta, root::Root};

/// The shape of a durable function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Graph {
    /// The function's recorded name.
    pub name: &'static str,
    /// The file that declares it.
    pub file: &'static str,
    /// The line of its declaration.
    pub line: u32,
    /// What it does, in the order of evaluation.
    pub nodes: &'static [Node],
}

/// One part of a function that concerns durable operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// An operation is awaited.
    Operation {
        /// Which kind, by what is written.
        kind: Kind,
        /// What it is called there.
        name: &'static str,
        /// Where.
        line: u32,
    },
    /// Something with operations of its own: a map, a saga, a block, an attempt of `with_retry`.
    Scope {
        /// Which kind.
        kind: Kind,
        /// What it is called.
        name: &'static str,
        /// Where.
        line: u32,
        /// What happens inside.
        nodes: &'static [Node],
    },
    /// Branches side by side: `join!`, `try_join!`, `race!`, `select_ok!`.
    Parallel {
        /// The macro's name.
        name: &'static str,
        /// Where.
        line: u32,
        /// The branches.
        branches: &'static [Arm],
    },
    /// One of several ways: `if`, `match`, `let … else`, `versioned!`.
    Choice {
        /// What decides.
        label: &'static str,
        /// Where.
        line: u32,
        /// The ways.
        arms: &'static [Arm],
    },
    /// `loop`, `while` or `for`.
    Loop {
        /// How it begins.
        label: &'static str,
        /// Where.
        line: u32,
        /// What is repeated.
        nodes: &'static [Node],
    },
    /// A way out.
    Exit(Exit),
}

/// One way, or one branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arm {
    /// When it is taken, or what it is called.
    pub label: &'static str,
    /// What happens there.
    pub nodes: &'static [Node],
}

/// A way out of the function, or of a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// `?`: an error ends the function.
    Error,
    /// `return`
    Return,
    /// `break`
    Break,
    /// `continue`
    Continue,
}

/// Which kind of operation it is, as far as that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call: a step, or another execution.
    Call,
    /// `step!`
    Step,
    /// `wait`, `wait_until`
    Wait,
    /// `callback`
    Callback,
    /// `invoke`, `invoke_on`
    Invoke,
    /// `map`, `parallel`
    Map,
    /// `wait_for_condition`
    Condition,
    /// `saga!`
    Saga,
    /// `with_retry`
    Retry,
    /// A block with a name.
    Block,
    /// `now`, `uuid`, `random`
    Value,
}

/// The shape of a function that can be served.
pub fn graph<Arguments, F: Root<Arguments>>(function: &F) -> Graph {
    function.graph()
}

impl Graph {
    pub(crate) const fn of(meta: &'static Meta) -> Self {
        let Meta { name, file, line, graph, .. } = *meta;
        Self { name, file, line, nodes: graph }
    }

    /// The graph as a [Mermaid](https://mermaid.js.org) flowchart.
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        mermaid::render(&flow::Flow::of(self))
    }

    /// The graph in the language of Graphviz.
    #[must_use]
    pub fn to_dot(&self) -> String {
        dot::render(&flow::Flow::of(self))
    }

    /// The graph as a picture. Feature `svg`.
    #[cfg(feature = "svg")]
    #[must_use]
    pub fn to_svg(&self) -> String {
        svg::render(&flow::Flow::of(self))
    }
}
