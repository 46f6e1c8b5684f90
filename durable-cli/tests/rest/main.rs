//! The REST API, call by call, through a client that sends exactly what a test says.

#[path = "../support/mod.rs"]
mod support;

mod callbacks;
mod checkpoints;
mod errors;
mod executions;
mod invoke;
