//! The adapters for AWS: the contract of the ports against moto and the dev server, and what only AWS has.
//!
//! Tests that need a moto server are ignored unless asked for: `cargo xtask e2e` starts one and runs them. By hand:
//!
//! ```text
//! moto_server -p 5000 &
//! MOTO_ENDPOINT=http://127.0.0.1:5000 cargo test -p workflows --features aws --test aws -- --include-ignored
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and JSON answers `null` for what is absent"
)]

mod agents;
mod deliveries;
mod lost_answers;
mod moto;
mod outages;
mod services;
mod stub;
#[path = "../ports_contract/suite/mod.rs"]
mod suite;

stores_contract!(crate::moto::world, #[ignore = "needs a moto server: see tests/aws/main.rs"]);
executions_contract!(crate::moto::service, #[ignore = "needs a moto server: see tests/aws/main.rs"]);
