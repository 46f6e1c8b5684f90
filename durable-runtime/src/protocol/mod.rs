//! The wire types of AWS Lambda durable executions, member for member.
//!
//! Names and encodings follow AWS's API model for `CheckpointDurableExecution`, `GetDurableExecutionState`
//! and the invocation envelope: PascalCase members, absent members omitted and never `null`,
//! timestamps as integer milliseconds. (The REST face of the service uses seconds; that is a concern of
//! whoever speaks REST, see [`Timestamp`].)

mod envelope;
mod error_object;
pub mod limits;
mod operation;
mod payload;
mod timestamp;
mod update;

pub use envelope::{ExecutionState, InvocationInput, InvocationOutput};
pub use error_object::ErrorObject;
pub use operation::{
    CallbackDetails, ChainedInvokeDetails, ContextDetails, ExecutionDetails, Operation, OperationId,
    OperationStatus, OperationType, StepDetails, WaitDetails, sub_type,
};
pub use payload::Payload;
pub use timestamp::Timestamp;
pub use update::{
    CallbackOptions, ChainedInvokeOptions, ContextOptions, OperationAction, OperationUpdate, StepOptions,
    WaitOptions,
};
