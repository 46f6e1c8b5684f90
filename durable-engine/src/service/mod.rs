//! The rules of the durable execution service, and nothing else.
//!
//! An [`Execution`] is one execution's state in memory. Facts go in through its methods together with `now`
//! and whatever randomness they need; what must be made durable comes out of
//! [`Execution::take_changes`]. There is no clock, no I/O and no `async` in here, so each rule can be tested
//! with a script of calls and the list of events that they must leave.
//!
//! | file | job |
//! | --- | --- |
//! | `identity` | keys, ids, ARNs and function references |
//! | `token` | checkpoint tokens |
//! | `event` | history events |
//! | `record` | what is stored of an execution as a whole |
//! | `execution` | the aggregate and the bookkeeping of its changes |
//! | `validate` | what a checkpoint may contain |
//! | `transition` | what each update does |
//! | `checkpoint` | one checkpoint call |
//! | `invocation` | how an invocation begins and ends |
//! | `pause` | pausing an execution and letting it go on |
//! | `timers` | everything that time does |
//! | `callback` | everything that comes from outside by callback id |
//! | `chained` | other functions' executions, from the caller's side |
//! | `state` | what an invocation is shown |

mod callback;
mod chained;
mod checkpoint;
mod event;
mod execution;
mod identity;
mod invocation;
mod pause;
mod record;
mod state;
mod timers;
mod token;
mod transition;
mod validate;

#[cfg(test)]
mod tests;

pub use callback::{CallbackOutcome, CallbackRefusal, CallbackTimer};
pub use chained::ChildOutcome;
pub use checkpoint::{Checkpoint, Refusal, Surroundings, Target};
pub use event::{
    CallbackStartedDetails, ChainedInvokeStartedDetails, EmptyDetails, ErrorDetails, Event, EventDetails,
    EventError, EventPayload, EventType, ExecutionPausedDetails, ExecutionResumedDetails,
    ExecutionStartedDetails, InvocationCompletedDetails, OptionalErrorDetails, ResultDetails, RetryDetails,
    StepFailedDetails, StepSucceededDetails, WaitStartedDetails, WaitSucceededDetails,
};
pub use execution::{ChangedOperation, Changes, Execution, Loaded, NewEvent, PayloadHome};
pub use identity::{CallbackId, ExecutionArn, ExecutionKey, function_arn, function_of_reference};
pub use invocation::{CONSECUTIVE_FAILURES, Finished, RUNTIME_EXIT_ERROR};
pub use pause::{Pause, PauseOptions, Pauses, ResumeOptions, WrongStatus};
pub use record::{ExecutionRecord, ExecutionStatus, Invocation, NewExecution, ParentLink};
pub use state::PageLimit;
pub(crate) use state::payload_slot;
