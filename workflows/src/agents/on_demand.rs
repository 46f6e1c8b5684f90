//! The three agents without servers and without a memory: a task is brought, its result is taken along.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::AgentsError;
use super::config::check_corpus;
use super::inputs::Inputs;
use super::outcome::{AgentFailure, FailureKind, Stopped};
use super::progress::{Interrupt, Progress};
use super::researcher::Researcher;
use super::worker::Work;
use crate::a2a::{Task, TaskKind};

/// Does the work of all three agents, for a host that keeps the tasks itself.
#[derive(Debug)]
pub struct OnDemandAgents {
    researcher: Work,
    inputs: Inputs,
}

impl OnDemandAgents {
    /// Agents that do their research in `corpus` and keep its index in `index_directory`.
    ///
    /// # Errors
    /// When the corpus can't be used.
    pub fn new(corpus: &Path, index_directory: PathBuf) -> Result<Self, AgentsError> {
        let researcher = Researcher::new(check_corpus(corpus)?, index_directory);
        Ok(Self { researcher: Work::Research(researcher), inputs: Inputs::new() })
    }

    /// Does a task to its end.
    ///
    /// # Errors
    /// When the task can't be done, in words fit for a stranger.
    pub async fn work(&self, task: &Task) -> Result<Value, AgentFailure> {
        let work = match task.task {
            TaskKind::Research => &self.researcher,
            TaskKind::Analyze => &Work::Analyze,
            TaskKind::Write => &Work::Write { model: None },
        };
        let progress = Progress::new(Interrupt::default());
        work.run(&self.inputs, task, &progress).await.map_err(|stopped| match stopped {
            Stopped::Failed(failure) => failure,
            Stopped::Interrupted => AgentFailure::new(FailureKind::Internal, "the agent was stopped"),
        })
    }
}
