//! The embedded engine.
pub mod service;
mod store;
