//! Agents behind A2A endpoints over HTTP: the embedded ones, or any others.

use crate::{
    a2a,
    ports::{AgentTask, Agents, BoxFuture, DispatchFailure},
    research::{Depth, Parameters, Phase},
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
            let message = message(task)?;
            match self.client.send(endpoint, &message).await {
                Ok(_) => Ok(()),
                Err(error) if error.is_retryable() => Err(DispatchFailure::Transient(error.to_string())),
                Err(error) => Err(DispatchFailure::Permanent(error.to_string())),
            }
        })
    }
}

fn message(task: AgentTask) -> Result<a2a::Task, DispatchFailure> {
    let inputs = serde_json::from_value(serde_json::Value::Object(task.inputs))
        .map_err(|error| DispatchFailure::Permanent(format!("its inputs don't fit a message: {error}")))?;
    Ok(a2a::Task {
        task: match task.phase {
            Phase::Research => a2a::TaskKind::Research,
            Phase::Analysis => a2a::TaskKind::Analyze,
            Phase::Writing => a2a::TaskKind::Write,
        },
        topic: task.topic,
        parameters: parameters(task.parameters),
        workflow_id: task.workflow_id.to_string(),
        callback_url: task.callback_url,
        callback_token: task.callback_token,
        inputs,
    })
}

fn parameters(parameters: Parameters) -> a2a::TaskParameters {
    a2a::TaskParameters {
        depth: match parameters.depth {
            Some(Depth::Basic) => a2a::Depth::Basic,
            None | Some(Depth::Standard) => a2a::Depth::Standard,
            Some(Depth::Comprehensive) => a2a::Depth::Comprehensive,
        },
        sources: parameters.sources,
        word_limit: parameters.word_limit,
    }
}
