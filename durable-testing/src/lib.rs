//! Tests for durable executions: in virtual time, where a day takes no time at all, and with the process
//! killed at every point where that could matter.
//!
//! ```
//! use std::time::Duration;
//! use durable_runtime::prelude::*;
//! use durable_testing::{TestEngine, virtual_time};
//!
//! #[durable_execution]
//! async fn patient(name: String) -> Result<String, Error> {
//!     wait(Duration::from_secs(86_400)).await;
//!     Ok(format!("good morning, {name}"))
//! }
//!
//! virtual_time(async {
//!     let test = TestEngine::new();
//!     let run = test.start(patient, "Ada".to_owned()).await;
//!     assert_eq!(run.result().await.unwrap(), "good morning, Ada");
//!     assert_eq!(test.elapsed().as_secs(), 86_400);
//! });
//! ```
//!
//! | question | answered by |
//! | --- | --- |
//! | Does it do the right thing? | [`TestEngine`] with [fakes](TestEngine::fake_step), [scripted callbacks](TestEngine::on_callback) and [invokes](TestEngine::on_invoke); [`RunHistory`] |
//! | Does it survive a crash anywhere? | [`CrashEverywhere`] |
//! | Does it survive a service that misbehaves? | [`FaultCampaign`], [`Faults`] |
//! | Does the order of concurrent work matter? | [`Explore`] |
//! | May this change be deployed while executions run? | [`replay()`], [`assert_replays`] |
//! | What does this change do to the shape of the workflow? | [`assert_graph`] |
//!
//! The README of this crate has a worked example of each.

mod answer;
mod between;
mod campaign;
mod clock;
mod crash;
mod diff;
mod effects;
mod engine;
mod explore;
mod fakes;
mod faults;
mod gate;
mod graph;
mod history;
mod outside;
mod probe;
mod random;
mod replay;
mod run;
mod scenario;
mod script;
mod trials;
mod world;

pub use answer::{Answer, CallbackRequest, IntoAnswer};
pub use between::{Between, Invocation, Invoked};
pub use campaign::{CampaignReport, FaultCampaign};
pub use clock::{VirtualClock, virtual_time};
pub use crash::{CrashEverywhere, CrashReport};
pub use effects::{Effect, effect, effects, take_effects};
pub use engine::TestEngine;
pub use explore::{Explore, Explored, NoSchedule, Schedule};
pub use faults::Faults;
pub use graph::assert_graph;
pub use history::{OperationHistory, RunHistory};
pub use probe::Boundary;
pub use replay::{
    Change, Divergence, OperationRef, Position, Replay, ReplayOutcome, Replayed, assert_replays, replay,
};
pub use run::TestRun;
pub use scenario::{Scenario, Survived};
pub use world::World;

/// The Rust code of the README, compiled and run with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
