//! What a function does not use: without it, its program has no client for it and starts sooner.

use crate::ports::{
    AgentTask, Agents, BoxFuture, DispatchFailure, DomainEvent, Events, Notification, Notify, StoreError,
    WorkflowId,
};

/// A port that this function was not given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absent;

impl Absent {
    const WORDS: &str = "this function was not given that port";

    fn refused(what: &'static str) -> StoreError {
        StoreError::Unavailable { what, detail: Self::WORDS.to_owned() }
    }
}

impl Agents for Absent {
    fn dispatch(&self, _: AgentTask) -> BoxFuture<'_, Result<(), DispatchFailure>> {
        Box::pin(async { Err(DispatchFailure::Permanent(Self::WORDS.to_owned())) })
    }
}

impl Notify for Absent {
    fn send(&self, _: Notification) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Err(Self::WORDS.to_owned()) })
    }
}

impl Events for Absent {
    fn emit(&self, _: DomainEvent) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Err(Self::refused("the event bus")) })
    }

    fn of(&self, _: WorkflowId) -> BoxFuture<'_, Result<Vec<DomainEvent>, StoreError>> {
        Box::pin(async { Err(Self::refused("the event bus")) })
    }
}
