//! What the tests of several crates together share.

pub mod faults;
pub mod journal;
pub mod log_file;
pub mod random;
pub mod runs;

/// The Rust code of the README, compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
