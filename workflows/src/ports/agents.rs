//! Researcher, analyst and writer, reached by A2A messages.

use serde_json::{Map, Value};

use super::{BoxFuture, WorkflowId};
use crate::{
    a2a,
    research::{Depth, Parameters, Phase},
};

/// What an agent is asked to do and where it answers.
#[derive(Clone, PartialEq)]
pub struct AgentTask {
    /// Which agent.
    pub phase: Phase,
    /// On whose behalf.
    pub workflow_id: WorkflowId,
    /// What about.
    pub topic: String,
    /// How.
    pub parameters: Parameters,
    /// Where to call back.
    pub callback_url: String,
    /// Under which token.
    pub callback_token: String,
    /// The results of earlier phases or references to them, by the name of their phase.
    pub inputs: Map<String, Value>,
}

impl std::fmt::Debug for AgentTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { phase, workflow_id, topic, .. } = self;
        f.debug_struct("AgentTask")
            .field("phase", phase)
            .field("workflow_id", workflow_id)
            .field("topic", topic)
            .finish_non_exhaustive()
    }
}

/// Why a task was not accepted, by what to do next. Messages are fit to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DispatchFailure {
    /// Transport error, 429 or 5xx: try again.
    #[error("{0}")]
    Transient(String),
    /// The agent refused, or what answers is not an A2A agent.
    #[error("{0}")]
    Permanent(String),
}

/// The three agents.
pub trait Agents: Send + Sync {
    /// Hands a task to the agent of its phase. Answers once the agent has accepted it.
    fn dispatch(&self, task: AgentTask) -> BoxFuture<'_, Result<(), DispatchFailure>>;
}

impl TryFrom<AgentTask> for a2a::Task {
    type Error = DispatchFailure;

    /// The task as it is said to an agent, whatever carries it there.
    fn try_from(task: AgentTask) -> Result<Self, DispatchFailure> {
        let inputs = serde_json::from_value(Value::Object(task.inputs)).map_err(|error| {
            DispatchFailure::Permanent(format!("its inputs don't fit a message: {error}"))
        })?;
        Ok(Self {
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
