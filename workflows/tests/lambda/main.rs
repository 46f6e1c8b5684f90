//! The applications as Lambda functions: the functions themselves on the embedded engine, and their programs.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(unreachable_pub, missing_docs, reason = "shared between the modules of one test program")]

mod agent;
mod api;
mod environment;
mod faces;
mod fuzz;
mod table;
mod webhooks;
mod world;
