//! Two applications written in the durable DSL: a research workflow that employs three agents and a human
//! reviewer, and the handler of the callbacks by which the agents answer.
//!
//! [`research`] and [`callback`] are the workflows. They know the world only through [`ports`]; [`local`]
//! implements those on one machine, without an account or a network; `aws` on AWS, when the feature of that name is on.
//! [`host`] puts the pieces together,
//! [`http`] and [`cli`] are two thin faces of it.

pub mod a2a;
pub mod agents;
#[cfg(feature = "aws")]
pub mod aws;
pub mod callback;
pub mod cli;
pub mod config;
pub mod error;
pub mod host;
pub mod http;
#[cfg(feature = "aws")]
pub mod lambda;
pub mod local;
pub mod ports;
pub mod research;
mod retry;
pub mod telemetry;
