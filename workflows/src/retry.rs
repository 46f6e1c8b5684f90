//! The retry policies of all steps, side by side.
//!
//! Exponential backoff with full jitter throughout; an error that says it is final is not tried again.

use std::time::Duration;

use durable_runtime::{Jitter, RetryPolicy, protocol::ErrorObject};

use crate::{callback::CallbackFault, error::WorkflowError};

// The steps of a workflow outlast minutes in which a store or an agent is away: waiting costs nothing, and hours of
// agents' work hang on it.

/// Records, artifacts, events.
pub(crate) const STORES: RetryPolicy = policy(12, 1, 60, workflow_error_may_pass);
/// Calls to agents, which may be busy or restarting.
pub(crate) const AGENTS: RetryPolicy = policy(12, 1, 60, workflow_error_may_pass);
/// Asking a reviewer, through a channel of somebody else's.
pub(crate) const NOTIFICATIONS: RetryPolicy = policy(12, 1, 60, workflow_error_may_pass);

/// Storing a callback: its sender waits for the answer, and a gateway gives up after 29 s.
pub(crate) const CALLBACK_STORAGE: RetryPolicy = policy(4, 1, 4, callback_fault_may_pass);
/// Delivering a callback; what fails for good can be redriven.
pub(crate) const CALLBACK_DELIVERY: RetryPolicy = policy(4, 1, 8, callback_fault_may_pass);
/// Keeping what can't be stored: the sender has waited for long by then.
pub(crate) const CALLBACK_SET_ASIDE: RetryPolicy = policy(3, 1, 2, callback_fault_may_pass);
/// The next heartbeat makes up for a lost one.
pub(crate) const HEARTBEATS: RetryPolicy = policy(2, 1, 1, callback_fault_may_pass);

/// Telling a registered receiver, which may be down for hours; nobody waits for it.
pub(crate) const WEBHOOKS: RetryPolicy = policy(16, 1, 3600, always);

/// An agent's work: the same task fails the same way again, unless what it needed was not there.
#[cfg(feature = "aws")]
pub(crate) const AGENT_WORK: RetryPolicy = policy(3, 2, 30, agent_failure_may_pass);
/// An agent's callback; the callback handler may be down for a while, and the work was long.
#[cfg(feature = "aws")]
pub(crate) const AGENT_DELIVERY: RetryPolicy = policy(14, 1, 900, agent_fault_may_pass);

const fn policy(
    max_attempts: u32,
    initial_seconds: u64,
    max_seconds: u64,
    may_pass: fn(&ErrorObject) -> bool,
) -> RetryPolicy {
    RetryPolicy {
        max_attempts,
        initial_delay: Duration::from_secs(initial_seconds),
        backoff: 2.0,
        max_delay: Duration::from_secs(max_seconds),
        jitter: Jitter::Full,
        retry_if: Some(may_pass),
    }
}

fn always(_: &ErrorObject) -> bool {
    true
}

/// An error that is none of ours, such as a panic, is worth another attempt.
fn workflow_error_may_pass(error: &ErrorObject) -> bool {
    let ours = error.error_data.as_deref().map(serde_json::from_str::<WorkflowError>);
    !matches!(ours, Some(Ok(error)) if !error.is_retryable())
}

fn callback_fault_may_pass(error: &ErrorObject) -> bool {
    let ours = error.error_data.as_deref().map(serde_json::from_str::<CallbackFault>);
    !matches!(ours, Some(Ok(fault)) if !fault.is_retryable())
}

#[cfg(feature = "aws")]
fn agent_failure_may_pass(error: &ErrorObject) -> bool {
    use crate::agents::{AgentFailure, FailureKind};
    let ours = error.error_data.as_deref().map(serde_json::from_str::<AgentFailure>);
    let passes = [FailureKind::InputUnavailable, FailureKind::Index];
    !matches!(ours, Some(Ok(failure)) if !passes.contains(&failure.kind))
}

#[cfg(feature = "aws")]
fn agent_fault_may_pass(error: &ErrorObject) -> bool {
    use crate::lambda::AgentFault;
    let ours = error.error_data.as_deref().map(serde_json::from_str::<AgentFault>);
    !matches!(ours, Some(Ok(AgentFault::Refused(_) | AgentFault::NotATask(_))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::Phase;

    #[test]
    fn final_errors_are_not_tried_again_and_others_are() {
        let stored = |error: &WorkflowError| ErrorObject {
            error_data: Some(serde_json::to_string(error).unwrap()),
            ..ErrorObject::new("WorkflowError", error.to_string())
        };
        assert!(!workflow_error_may_pass(&stored(&WorkflowError::agent(Phase::Research, "refused"))));
        let busy = WorkflowError::State { message: "busy".into(), retryable: true };
        assert!(workflow_error_may_pass(&stored(&busy)));
        assert!(workflow_error_may_pass(&ErrorObject::new("Panic", "index out of bounds")));
    }
}
