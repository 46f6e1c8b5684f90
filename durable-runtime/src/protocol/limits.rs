//! The service's limits, checked on our side before anything is sent.

/// Updates in one checkpoint call. The official SDKs cut their batches here.
pub const BATCH_UPDATES: usize = 250;
/// Bytes of one checkpoint call's updates (750 KiB), as the official SDKs cut them.
pub const BATCH_BYTES: usize = 768_000;
/// Bytes of one operation's payload: 1 MiB for everything but the execution itself.
pub const OPERATION_PAYLOAD: usize = 1024 * 1024;
/// Bytes of an execution's input and result: 6 MiB.
pub const EXECUTION_PAYLOAD: usize = 6 * 1024 * 1024;
/// Bytes of a result that still fits an invocation's answer; a larger one is checkpointed.
pub const INVOCATION_RESULT: usize = 6 * 1024 * 1024 - 50;
/// Bytes of a child context's result above which it is replayed from its children instead.
pub const CHILD_RESULT: usize = 256 * 1024;
/// Bytes of an error object's JSON.
pub const ERROR_OBJECT: usize = 32 * 1024;
/// Bytes of a callback's result sent from outside.
pub const CALLBACK_PAYLOAD: usize = 256 * 1024;
/// Characters of an operation's name, printable ASCII.
pub const OPERATION_NAME: usize = 256;
/// Characters of an execution's name, `[a-zA-Z0-9-_]`.
pub const EXECUTION_NAME: usize = 64;
/// Seconds of the shortest wait or retry delay.
pub const MIN_WAIT_SECONDS: u64 = 1;
/// Seconds of the longest wait or retry delay: 366 days.
pub const MAX_WAIT_SECONDS: u64 = 31_622_400;
/// Operations in one execution.
pub const OPERATIONS: usize = 30_000;
