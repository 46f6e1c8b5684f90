//! The research workflow, from the topic to the report.
//!
//! [`research_workflow`] is the whole of it; what it calls is in the files beside it.

mod approval;
mod finish;
mod input;
mod phase;
mod status;

use durable_runtime::prelude::*;
use serde::{Deserialize, Serialize};

pub use approval::{Approval, REVIEW_LINK_VALIDITY};
pub use finish::{Delivery, REPORT_LINK_VALIDITY, report_text};
pub use input::{Depth, InvalidInput, MAX_TOPIC_CHARS, Parameters, ResearchInput, WORD_LIMITS};
pub use phase::{Phase, PhaseResult};
pub use status::{Status, UnknownStatus};

use crate::{
    error::WorkflowError,
    ports::{Change, NewRecord, Ports, WorkflowId},
    retry,
};
use approval::request_approval;
use finish::{fail_workflow, finalize_workflow, reject_workflow};
use phase::{Inputs, agent_phase};

/// The name by which hosts register and start [`research_workflow`].
pub const RESEARCH_WORKFLOW: &str = "research_workflow";

/// The recorded names of the steps that every completed workflow goes through, in order.
pub const MANDATORY_STEPS: [&str; 10] = [
    "init_workflow",
    "research_phase_dispatch",
    "research_phase_await",
    "analysis_phase_dispatch",
    "analysis_phase_await",
    "request_approval",
    "human_approval",
    "writing_phase_dispatch",
    "writing_phase_await",
    "finalize_workflow",
];

/// One research job: what an execution of the workflow is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The identity of the workflow, and of its execution.
    pub workflow_id: WorkflowId,
    /// What to research.
    pub input: ResearchInput,
}

/// Research, analysis, a human decision, a report.
#[durable_execution(name = "research_workflow")]
pub async fn research_workflow(ports: Ports, job: Job) -> Result<Delivery, WorkflowError> {
    let outcome = async {
        init_workflow(&ports, &job).await?;

        let mut inputs = Inputs::default();
        let research = agent_phase(&ports, &job, Phase::Research, inputs.clone());
        inputs.research = Some(research.named("research_phase").await?);

        let analysis = agent_phase(&ports, &job, Phase::Analysis, inputs.clone());
        let analysis = analysis.named("analysis_phase").await?;
        inputs.analysis = Some(analysis.clone());

        let review =
            callback::<Approval>("human_approval").timeout(ports.settings.approval_timeout).create().await;
        request_approval(&ports, &job, &analysis, review.id().as_str()).await?;
        let decision = review.result().await.map_err(|error| approval::undecided(&ports, error))?;
        if !decision.approved {
            return reject_workflow(&ports, &job, decision).await;
        }

        inputs.approval = Some(decision);

        let writing = agent_phase(&ports, &job, Phase::Writing, inputs).named("writing_phase").await?;
        finalize_workflow(&ports, &job, writing).await
    }
    .await;

    if let Err(error) = &outcome {
        fail_workflow(&ports, &job, error).await?;
    }
    outcome
}

/// Puts the workflow on record as running.
#[durable_step(retry = retry::STORES)]
async fn init_workflow(ports: &Ports, job: &Job) -> Result<(), WorkflowError> {
    let record = NewRecord { id: job.workflow_id.clone(), input: job.input.clone() };
    ports.records.create(record).await?;
    let running = Change::of(&job.workflow_id, "init_workflow")
        .to(Status::Running)
        .now_at(Phase::Research.dispatch_name())
        .completing("init_workflow", "the workflow is on record");
    ports.records.apply(running).await?;
    Ok(())
}
