//! Functions in processes of their own, and behind endpoints.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "JSON answers `null` for what is absent, and helpers fail tests by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod crashes;
mod endpoints;
mod events;
mod executions;
mod idle;
mod output;
mod plain;
mod regions;
mod retention;
mod tenants;
mod traces;
mod watch;
