//! Plain async Rust that survives anything.
//!
//! `#[durable_step]` and `#[durable_execution]` turn plain async functions into checkpointed state machines:
//! whatever a function awaits is recorded by a durable execution service, and a process that dies is
//! replaced by one that replays the record and goes on where the first one was.
//!
//! ```
//! use std::time::Duration;
//! use durable_runtime::prelude::*;
//!
//! #[durable_step(retry(max_attempts = 5, initial_delay = "1s"))]
//! async fn charge(order: u64) -> Result<String, Error> {
//!     Ok(format!("receipt for {order}"))
//! }
//!
//! #[durable_execution]
//! async fn checkout(order: u64) -> Result<String, Error> {
//!     let receipt = charge(order).await?;
//!     wait(Duration::from_secs(3600)).await;
//!     Ok(receipt)
//! }
//! ```
//!
//! The crate knows no service, no clock and no transport; a host passes them in as an
//! [`environment::Environment`]. The embedded one is `durable-engine`.

#[allow(unused_extern_crates, reason = "the doc examples and the macros name this crate by its own name")]
extern crate self as durable_runtime;

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod announce;
mod codec;
mod core;
mod driver;
mod duration;
pub mod environment;
mod error;
pub mod graph;
pub mod intercept;
#[cfg(feature = "lambda")]
pub mod lambda;
mod logging;
mod operation;
mod operations;
#[cfg(feature = "otel")]
pub mod otel;
pub mod payloads;
pub mod plugin;
pub mod prelude;
pub mod protocol;
mod retry;
mod root;
mod scope;
pub mod serdes;
pub mod service;
mod sync;
mod task;
mod value;
pub mod workflow;

pub use durable_macros::{
    durable_execution, durable_step, join, nondeterministic, race, saga, select_ok, step, try_join, versioned,
};

pub use crate::{
    codec::{Codec, Outcome},
    duration::IntoDuration,
    error::{CallbackError, ConditionExhausted, Error, Interrupted, Interruption, InvokeError},
    logging::{ReplayFilter, execution_arn, is_replaying},
    operation::{BoxOp, DurableBlock, DurableOperation},
    operations::{
        attempt::{StepInfo, current_step},
        callback::{
            Callback, CallbackHandle, CallbackId, CallbackResult, CreateCallback, Submitted, callback,
        },
        child::{Execution, NamedBlock},
        condition::{Condition, WaitForCondition, wait_for_condition},
        derived::{Derived, Now, Random, now, random, uuid},
        group::{CompletionReason, ItemStatus},
        invoke::{Invoke, invoke},
        map::{Batch, BatchItem, Map, MapOutcome, Parallel, map, parallel},
        saga::Undo,
        step::{Step, step_attempt},
        wait::{Wait, wait, wait_until},
        with_retry::{WithRetry, with_retry},
    },
    protocol::{ErrorObject, Timestamp},
    retry::{Jitter, RetryPolicy},
    root::{InvokeOn, Root, workflow},
    value::{CallbackValue, DurableError, DurableValue, FromInterrupted, Repeatable},
};
