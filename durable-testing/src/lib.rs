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
//! [`CrashEverywhere`] runs a workflow once for each moment at which its process could die.

mod answer;
mod between;
mod clock;
mod crash;
mod effects;
mod engine;
mod fakes;
mod faults;
mod gate;
mod history;
mod outside;
mod probe;
mod random;
mod run;
mod scenario;
mod script;
mod trials;
mod world;

pub use answer::{Answer, CallbackRequest, IntoAnswer};
pub use between::{Between, Invocation, Invoked};
pub use clock::{VirtualClock, virtual_time};
pub use crash::{CrashEverywhere, CrashReport};
pub use effects::{Effect, effect, effects, take_effects};
pub use engine::TestEngine;
pub use faults::Faults;
pub use history::{OperationHistory, RunHistory};
pub use probe::Boundary;
pub use run::TestRun;
pub use scenario::{Scenario, Survived};
pub use world::World;
