//! The REST API, call by call, through a client that sends exactly what a test says.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "JSON answers `null` for what is absent, and helpers fail tests by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod callbacks;
mod checkpoints;
mod control;
mod errors;
mod executions;
mod invoke;
mod limits;
