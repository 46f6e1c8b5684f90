//! Agents behind A2A endpoints over HTTP: the embedded ones, or any others.

use crate::{
    a2a,
    ports::{AgentTask, Agents, BoxFuture, DispatchFailure},
    research::Phase,
};

/// Where the three agents are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The researcher's URL.
    pub researcher: String,
    /// The analyst's URL.
    pub analyst: String,
    /// The writer's URL.
    pub writer: String,
}

/// Agents reached by A2A messages over HTTP.
#[derive(Clone, Debug)]
pub struct A2aAgents {
    endpoints: Endpoints,
    client: a2a::A2aClient,
}

impl A2aAgents {
    /// Agents at `endpoints`.
    #[must_use]
    pub fn new(endpoints: Endpoints) -> Self {
        Self { endpoints, client: a2a::A2aClient::new() }
    }
}

impl Agents for A2aAgents {
    fn dispatch(&self, task: AgentTask) -> BoxFuture<'_, Result<(), DispatchFailure>> {
        Box::pin(async move {
            let endpoint = match task.phase {
                Phase::Research => &self.endpoints.researcher,
                Phase::Analysis => &self.endpoints.analyst,
                Phase::Writing => &self.endpoints.writer,
            };
            let message = a2a::Task::try_from(task)?;
            match self.client.send(endpoint, &message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_retryable() => Err(DispatchFailure::Transient(error.to_string())),
                Err(error) => Err(DispatchFailure::Permanent(error.to_string())),
            }
        })
    }
}
