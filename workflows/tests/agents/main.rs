//! The embedded agents as a workflow meets them: over A2A on one side, through callbacks on the other.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected has to fail, in its helpers too"
)]

mod dispatch;
mod durability;
mod failures;
mod model;
mod report;
mod research;
mod support;
