//! The task document: what one phase of a workflow asks of its agent.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an agent is asked to do, where its answer goes, and what it needs to begin.
///
/// Fields this version doesn't know are ignored, so that either side can be newer than the other.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The kind of work.
    pub task: TaskKind,
    /// What the research is about.
    pub topic: String,
    /// How deep, from which sources, how long.
    #[serde(default)]
    pub parameters: TaskParameters,
    /// The workflow this task belongs to.
    pub workflow_id: String,
    /// Where the outcome and the heartbeats are posted.
    pub callback_url: String,
    /// The secret that names the callback; it identifies the task as well. Never printed by `Debug`.
    pub callback_token: String,
    /// Results of the phases before this one.
    #[serde(default)]
    pub inputs: TaskInputs,
}

impl Task {
    /// The name under which this task appears in requests and logs. Unlike the token it is no secret.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}:{}", self.workflow_id, self.task)
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("task", &self.task)
            .field("topic", &self.topic)
            .field("parameters", &self.parameters)
            .field("workflow_id", &self.workflow_id)
            .field("callback_url", &self.callback_url)
            .field("callback_token", &"<redacted>")
            .field("inputs", &self.inputs)
            .finish()
    }
}

/// The kind of work a [`Task`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Find what is known about the topic.
    Research,
    /// Rank, group and count what was found.
    Analyze,
    /// Write the report.
    Write,
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Research => "research",
            Self::Analyze => "analyze",
            Self::Write => "write",
        })
    }
}

/// How the work is to be done; every field has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskParameters {
    /// How much is looked for and kept.
    #[serde(default)]
    pub depth: Depth,
    /// Kinds of sources, packages or plain words to look at; empty means everything.
    #[serde(default)]
    pub sources: Vec<String>,
    /// The most words the report may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word_limit: Option<u32>,
}

/// How much is looked for and kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// The topic as it was put, and the best few answers.
    Basic,
    /// The topic and its parts.
    #[default]
    Standard,
    /// The topic, its parts, and what the first answers turned out to be about.
    Comprehensive,
}

/// Results of earlier phases, inline or by reference.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskInputs {
    /// What the researcher found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub research: Option<TaskInput>,
    /// What the analyst made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<TaskInput>,
}

/// One input of a task. A document that carries an `artifact_type` is a reference, any other is the input itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TaskInput {
    /// Stored as an artifact; to be fetched by the agent.
    Reference(ArtifactReference),
    /// The input itself.
    Inline(Value),
}

/// Where an input too large for a message is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactReference {
    /// The kind of store.
    pub artifact_type: ArtifactType,
    /// `s3://bucket/key`.
    pub s3_uri: String,
    /// A presigned URL of the artifact, for an agent that has no access to the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The kind of store an [`ArtifactReference`] points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArtifactType {
    /// S3, or the local directory that stands in for it.
    S3Reference,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_with_only_the_required_fields_gets_the_defaults() {
        let task: Task = serde_json::from_value(json!({
            "task": "research", "topic": "t", "workflow_id": "w",
            "callback_url": "http://127.0.0.1/callbacks", "callback_token": "secret", "later": true,
        }))
        .unwrap();
        assert_eq!(task.parameters.depth, Depth::Standard);
        assert_eq!(task.inputs, TaskInputs::default());
        assert_eq!(task.id(), "w:research");
    }

    #[test]
    fn an_input_is_a_reference_only_when_it_says_so() {
        let reference = json!({ "artifact_type": "s3_reference", "s3_uri": "s3://b/k", "url": "http://x/y" });
        let parsed: TaskInput = serde_json::from_value(reference.clone()).unwrap();
        assert!(matches!(&parsed, TaskInput::Reference(it) if it.url.as_deref() == Some("http://x/y")));
        assert_eq!(serde_json::to_value(&parsed).unwrap(), reference);

        let inline: TaskInput = serde_json::from_value(json!({ "s3_uri": "s3://b/k" })).unwrap();
        assert!(matches!(inline, TaskInput::Inline(_)));
    }

    #[test]
    fn the_token_is_not_printed() {
        let task = Task {
            task: TaskKind::Write,
            topic: String::new(),
            parameters: TaskParameters::default(),
            workflow_id: "w".into(),
            callback_url: String::new(),
            callback_token: "very-secret".into(),
            inputs: TaskInputs::default(),
        };
        assert!(!format!("{task:?}").contains("very-secret"));
    }
}
