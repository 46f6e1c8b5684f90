//! Plain async Rust that survives anything.

pub mod environment;
pub mod protocol;
pub mod service;
pub mod workflow;
