//! Functions in processes of their own, and behind endpoints.

#[path = "../support/mod.rs"]
mod support;

mod crashes;
mod endpoints;
mod executions;
mod output;
mod plain;
mod watch;
