//! Exactly what generated code may name. Not part of the public interface: it changes without notice.

pub use crate::{
    codec::{Codec, Fallible, Plain, Probe, ProbeFallible, ProbePlain as ProbeInfallible},
    graph,
    operation::{BoxOp, DurableAwait, DurableOperation, block, op},
    operations::{
        child::{Body, Execution, ExecutionBody, body},
        parallel::{Branch, branch, join, race, select_ok, try_join},
        saga::{Compensated, Perform, SuccessOf, compensated},
        step::{
            HasMeta, Meta, Step, StepBody, StepOptions, inline_step, inline_step_interruptible,
            interruptible, once, repeat,
        },
        version::{Unsupported, is_version},
    },
    protocol::ErrorObject,
    retry::{Jitter, RetryPolicy},
};

/// The probe of what an erased operation gives.
#[must_use]
pub const fn probe_op<O>(_: &BoxOp<'_, O>) -> Probe<O> {
    Probe::new()
}

/// The probe of what an inline step's body gives.
#[must_use]
pub const fn probe_fn<F: FnMut() -> Fut, Fut: Future<Output = O>, O>(_: &F) -> Probe<O> {
    Probe::new()
}
