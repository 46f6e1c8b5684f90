//! What a file of durable functions needs: `use durable_runtime::prelude::*;`.

pub use crate::protocol::ErrorObject;
pub use crate::{
    Batch, BoxOp, CallbackError, CallbackId, Condition, ConditionExhausted, DurableOperation as _, Error,
    Interrupted, InvokeError, InvokeOn as _, Jitter, RetryPolicy, Timestamp, callback, current_step,
    durable_execution, durable_step, execution_arn, invoke, is_replaying, join, map, nondeterministic, now,
    parallel, race, random, saga, select_ok, step, step_attempt, try_join, uuid, versioned, wait,
    wait_for_condition, wait_until, with_retry,
};
