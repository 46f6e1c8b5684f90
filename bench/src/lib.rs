//! What the benches share: figures, a history of recorded steps, and readings of the machine.
//!
//! A bench prints each figure as one line of JSON on standard output, for `cargo xtask bench`, and as a sentence
//! on standard error, for people.

pub mod bootstrap;
pub mod callbacks;
pub mod engine;
mod figure;
pub mod generated_crates;
pub mod history;
pub mod lambda_host;
pub mod machine;
pub mod processes;
pub mod timing;

pub use figure::Figure;
