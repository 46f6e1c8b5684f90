//! One agent's part: hand out the task, suspend until it calls back, fetch what it only refers to.

use std::time::Duration;

use durable_runtime::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Approval, Job, Status, finish::report_text};
use crate::{
    error::WorkflowError,
    ports::{AgentTask, ArtifactRef, Change, DispatchFailure, INLINE_LIMIT, Ports, Route},
    retry,
};

/// How long an agent can read the artifacts that its task refers to.
const INPUT_LINK_VALIDITY: Duration = Duration::from_secs(24 * 60 * 60);

/// The three phases that an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The researcher's.
    Research,
    /// The analyst's.
    Analysis,
    /// The writer's.
    Writing,
}

impl Phase {
    /// The phases, in the order of a workflow.
    pub const ALL: [Self; 3] = [Self::Research, Self::Analysis, Self::Writing];

    /// Who does it.
    #[must_use]
    pub const fn agent(self) -> &'static str {
        match self {
            Self::Research => "researcher",
            Self::Analysis => "analyst",
            Self::Writing => "writer",
        }
    }

    /// How long its agent has.
    #[must_use]
    pub const fn limit(self) -> Duration {
        const HOUR: u64 = 60 * 60;
        match self {
            Self::Research => Duration::from_secs(4 * HOUR),
            Self::Analysis => Duration::from_secs(2 * HOUR),
            Self::Writing => Duration::from_secs(HOUR),
        }
    }

    /// The recorded name of its dispatch.
    #[must_use]
    pub const fn dispatch_name(self) -> &'static str {
        match self {
            Self::Research => "research_phase_dispatch",
            Self::Analysis => "analysis_phase_dispatch",
            Self::Writing => "writing_phase_dispatch",
        }
    }

    /// The recorded name of its callback.
    #[must_use]
    pub const fn await_name(self) -> &'static str {
        match self {
            Self::Research => "research_phase_await",
            Self::Analysis => "analysis_phase_await",
            Self::Writing => "writing_phase_await",
        }
    }

    /// The recorded name of the step that fetches its result.
    #[must_use]
    pub const fn fetch_name(self) -> &'static str {
        match self {
            Self::Research => "research_phase_fetch_artifact",
            Self::Analysis => "analysis_phase_fetch_artifact",
            Self::Writing => "writing_phase_fetch_artifact",
        }
    }

    /// What is on record once its agent has called back.
    #[must_use]
    pub fn answered(self) -> String {
        format!("the {} answered", self.agent())
    }

    /// The recorded name of what follows its callback when nothing has to be fetched.
    #[must_use]
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::Research => "analysis_phase_dispatch",
            Self::Analysis => "request_approval",
            Self::Writing => "finalize_workflow",
        }
    }
}

/// What an agent delivered: inline, or a reference when it is large.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PhaseResult {
    /// Stored as an artifact.
    Reference(ArtifactRef),
    /// The value itself.
    Inline(Value),
}

/// What came out of the phases before.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs {
    pub(super) research: Option<PhaseResult>,
    pub(super) analysis: Option<PhaseResult>,
    pub(super) approval: Option<Approval>,
}

/// Hands the phase to its agent and waits for the result.
#[durable_execution]
pub(super) async fn agent_phase(
    ports: &Ports,
    job: &Job,
    phase: Phase,
    inputs: Inputs,
) -> Result<PhaseResult, WorkflowError> {
    let mut answer = callback::<Value>(phase.await_name()).timeout(phase.limit());
    if let Some(silence) = ports.settings.heartbeat_timeout {
        answer = answer.heartbeat(silence);
    }
    let answer = answer.create().await;
    dispatch(ports, job, phase, inputs, answer.id().as_str()).named(phase.dispatch_name()).await?;
    let result = answer.result().await.map_err(|error| unanswered(phase, error))?;
    match ArtifactRef::from_value(&result) {
        Some(reference) => fetch_artifact(ports, job, phase, reference).named(phase.fetch_name()).await,
        None => {
            check_usable(phase, &result)?;
            Ok(PhaseResult::Inline(result))
        }
    }
}

/// Sends the task. The token is on record and the status is `PENDING` before the agent can possibly answer.
#[durable_step(retry = retry::AGENTS, timeout = "2m")]
async fn dispatch(
    ports: &Ports,
    job: &Job,
    phase: Phase,
    inputs: Inputs,
    token: &str,
) -> Result<(), WorkflowError> {
    let id = &job.workflow_id;
    let route = Route { workflow_id: id.clone(), phase };
    ports.callbacks.register(token.to_owned(), route).await?;

    let mut begun = Change::of(id, phase.dispatch_name()).to(Status::Running).now_at(phase.dispatch_name());
    if phase == Phase::Analysis {
        begun = begun.completing(Phase::Research.await_name(), Phase::Research.answered());
    }
    if let Some(approval) = &inputs.approval {
        begun = begun.completing("human_approval", "approved");
        begun.comment.clone_from(&approval.comment);
    }
    ports.records.apply(begun).await?;
    let suspending = Change::of(id, phase.dispatch_name()).to(Status::Pending);
    ports.records.apply(suspending).await?;

    let task = AgentTask {
        phase,
        workflow_id: id.clone(),
        topic: job.input.topic().to_owned(),
        parameters: job.input.parameters().clone(),
        callback_url: ports.settings.callback_url.clone(),
        callback_token: token.to_owned(),
        inputs: task_inputs(ports, inputs).await?,
    };
    ports.agents.dispatch(task).await.map_err(|failure| WorkflowError::AgentInvocation {
        phase,
        message: crate::error::sanitised(&failure.to_string()),
        retryable: matches!(failure, DispatchFailure::Transient(_)),
    })?;

    let sent = Change::of(id, phase.dispatch_name())
        .now_at(phase.await_name())
        .completing(phase.dispatch_name(), format!("the {} accepted the task", phase.agent()));
    ports.records.apply(sent).await?;
    Ok(())
}

/// Small results come inline from here on; large ones stay where they are, but are known to be usable.
#[durable_step(retry = retry::STORES, timeout = "2m")]
async fn fetch_artifact(
    ports: &Ports,
    job: &Job,
    phase: Phase,
    reference: ArtifactRef,
) -> Result<PhaseResult, WorkflowError> {
    let fetched =
        ports.artifacts.get(reference.clone()).await.map_err(|error| WorkflowError::artifact(&error))?;
    let size = fetched.bytes.len();
    let value: Value = serde_json::from_slice(&fetched.bytes)
        .map_err(|error| WorkflowError::agent(phase, &format!("its result artifact is not JSON: {error}")))?;
    check_usable(phase, &value)?;
    let fetched = Change::of(&job.workflow_id, phase.fetch_name())
        .to(Status::Running)
        .now_at(phase.next_step())
        .completing(phase.await_name(), phase.answered())
        .completing(phase.fetch_name(), format!("{size} bytes"));
    ports.records.apply(fetched).await?;
    Ok(if size <= INLINE_LIMIT { PhaseResult::Inline(value) } else { PhaseResult::Reference(reference) })
}

/// References get a link, for agents without access to the store.
async fn task_inputs(ports: &Ports, inputs: Inputs) -> Result<Map<String, Value>, WorkflowError> {
    let mut fields = Map::new();
    for (name, result) in [("research", inputs.research), ("analysis", inputs.analysis)] {
        let input = match result {
            None => continue,
            Some(PhaseResult::Inline(value)) => value,
            Some(PhaseResult::Reference(reference)) => {
                let url = ports.artifacts.presign(reference.clone(), INPUT_LINK_VALIDITY).await;
                let url = url.map_err(|error| WorkflowError::artifact(&error))?;
                let mut input = serde_json::to_value(&reference).expect("a reference is two strings");
                if let Some(fields) = input.as_object_mut() {
                    fields.insert("url".to_owned(), Value::String(url));
                }
                input
            }
        };
        fields.insert(name.to_owned(), input);
    }
    Ok(fields)
}

fn unanswered(phase: Phase, error: CallbackError) -> WorkflowError {
    let late = |message| WorkflowError::AgentTimedOut { phase, message };
    match error {
        CallbackError::TimedOut { .. } => {
            late(format!("no answer within {} h", phase.limit().as_secs() / 3600))
        }
        CallbackError::HeartbeatLost { .. } => late("its heartbeats stopped".to_owned()),
        CallbackError::Failed { error, .. } => WorkflowError::agent(phase, error.message()),
    }
}

/// A result that the next phase could do nothing with is the agent's failure, not the next one's.
fn check_usable(phase: Phase, result: &Value) -> Result<(), WorkflowError> {
    let is_usable = match (phase, result) {
        (Phase::Writing, _) => report_text(result).is_some_and(|text| !text.trim().is_empty()),
        (_, Value::Object(fields)) => !fields.is_empty(),
        (_, Value::Array(items)) => !items.is_empty(),
        (_, Value::String(text)) => !text.trim().is_empty(),
        (_, Value::Null | Value::Bool(_) | Value::Number(_)) => false,
    };
    if is_usable {
        return Ok(());
    }
    let expected = if phase == Phase::Writing { "a report as text" } else { "findings" };
    Err(WorkflowError::agent(phase, &format!("its result is unusable: {expected} expected")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_results_that_the_next_phase_can_use_are_accepted() {
        for (phase, result, is_usable) in [
            (Phase::Research, json!({ "findings": [] }), true),
            (Phase::Research, json!({}), false),
            (Phase::Research, json!(null), false),
            (Phase::Analysis, json!([1]), true),
            (Phase::Analysis, json!(42), false),
            (Phase::Writing, json!({ "report": "# Title" }), true),
            (Phase::Writing, json!("# Title"), true),
            (Phase::Writing, json!({ "report": " " }), false),
            (Phase::Writing, json!({ "text": "elsewhere" }), false),
        ] {
            assert_eq!(check_usable(phase, &result).is_ok(), is_usable, "{phase:?} {result}");
        }
    }

    #[test]
    fn a_reference_is_told_from_a_value_after_a_round_trip() {
        for result in [
            PhaseResult::Reference(ArtifactRef::new("b", "k")),
            PhaseResult::Inline(json!({ "artifact_type": "s3_reference" })),
            PhaseResult::Inline(json!("text")),
        ] {
            let text = serde_json::to_string(&result).unwrap();
            assert_eq!(serde_json::from_str::<PhaseResult>(&text).unwrap(), result);
        }
    }

    #[test]
    fn names_follow_the_order_of_a_workflow() {
        let order = super::super::MANDATORY_STEPS;
        for phase in Phase::ALL {
            let position = order.iter().position(|name| *name == phase.dispatch_name()).unwrap();
            assert_eq!(&order[position + 1..position + 3], [phase.await_name(), phase.next_step()]);
        }
    }
}
