//! Events as lines of text, with the virtual time at which they happened.

use std::{fmt, time::Duration};

use durable_engine::service::{Event, EventDetails, EventError};

/// Writes one line for each event.
pub(crate) fn write(f: &mut impl fmt::Write, events: &[Event]) -> fmt::Result {
    let Some(begin) = events.first().map(|event| event.event_timestamp) else {
        return writeln!(f, "nothing happened");
    };
    for event in events {
        let at = clock(event.event_timestamp.since(begin));
        write!(f, "{at:>14}  {:<24}", event.event_type.as_str())?;
        if let Some(name) = &event.name {
            write!(f, " {name}")?;
        }
        if let Some(attempt) = attempt(&event.details) {
            write!(f, ", attempt {attempt}")?;
        }
        if let Some(error) = error(&event.details).and_then(|error| error.payload.as_ref()) {
            write!(f, ": {error}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

/// `+26:03:04.250`: hours, minutes, seconds since the beginning.
fn clock(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("+{}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, elapsed.subsec_millis())
}

const fn attempt(details: &EventDetails) -> Option<u32> {
    match details {
        EventDetails::StepSucceeded(details) => Some(details.retry_details.current_attempt),
        EventDetails::StepFailed(details) => Some(details.retry_details.current_attempt),
        _ => None,
    }
}

fn error(details: &EventDetails) -> Option<&EventError> {
    match details {
        EventDetails::ExecutionFailed(details)
        | EventDetails::ExecutionStopped(details)
        | EventDetails::ContextFailed(details)
        | EventDetails::CallbackFailed(details)
        | EventDetails::CallbackTimedOut(details)
        | EventDetails::ChainedInvokeFailed(details)
        | EventDetails::ChainedInvokeStopped(details)
        | EventDetails::ChainedInvokeTimedOut(details) => Some(&details.error),
        EventDetails::StepFailed(details) => Some(&details.error),
        EventDetails::InvocationCompleted(details) => details.error.as_ref(),
        _ => None,
    }
}
