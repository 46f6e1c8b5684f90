//! Agents that accept, refuse or keep silent, as a test says.

use durable_testing::effect;
use workflows::ports::{AgentTask, Agents, BoxFuture, DispatchFailure};

use super::Memory;

/// What a dispatch meets.
#[derive(Clone, Debug)]
pub enum Dispatch {
    /// The connection stays open and nothing comes.
    Hangs,
    /// Worth another attempt.
    Busy(&'static str),
    /// For good.
    Refused(&'static str),
}

impl Agents for Memory {
    fn dispatch(&self, task: AgentTask) -> BoxFuture<'_, Result<(), DispatchFailure>> {
        Box::pin(async move {
            effect(format!("task for the {}", task.phase.agent()));
            let meets = self.state().dispatches.pop_front();
            match meets {
                None => {
                    let mut state = self.state();
                    // An agent tells tasks apart by their token; the second dispatch of one changes nothing.
                    if state.tasks.iter().all(|known| known.callback_token != task.callback_token) {
                        state.tasks.push_back(task);
                    }
                    drop(state);
                    self.0.accepted.notify_waiters();
                    self.answered(()).map_err(|error| DispatchFailure::Transient(error.to_string()))
                }
                Some(Dispatch::Hangs) => std::future::pending().await,
                Some(Dispatch::Busy(why)) => Err(DispatchFailure::Transient(why.to_owned())),
                Some(Dispatch::Refused(why)) => Err(DispatchFailure::Permanent(why.to_owned())),
            }
        })
    }
}
