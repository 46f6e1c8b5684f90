//! Services that misbehave: every call of every invocation passes through a [`Fault`].

use std::sync::Arc;

pub use durable_testing::Between as Fault;
use durable_testing::TestEngine;

/// A test engine whose workflows reach their service through `fault`.
pub fn engine_with<F: Fault>(fault: &Arc<F>) -> TestEngine {
    TestEngine::between(fault)
}
