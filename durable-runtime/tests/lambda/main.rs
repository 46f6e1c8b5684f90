//! The Lambda transport end to end: a child process that serves workflows with `lambda::run`, between a Lambda runtime
//! API and a durable execution API whose rules are the engine's.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod bootstrap;
mod cloud;
mod failures;
mod rest;
mod runs;
mod runtime_api;
#[cfg(feature = "s3")]
mod s3;
