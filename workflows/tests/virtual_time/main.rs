//! Hours and days of both applications, in virtual time: limits, silence, cancellation, and what the record
//! shows meanwhile.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

#[path = "../memory/mod.rs"]
mod memory;

mod application;
mod failures;
mod limits;
mod progress;
