//! The human decision between analysis and report.

use std::time::Duration;

use durable_runtime::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{InvalidInput, Job, Phase, PhaseResult, Status, input::reject_unknown};
use crate::{
    error::WorkflowError,
    ports::{ApprovalRequest, ArtifactRef, Change, DomainEvent, Notification, Ports},
    retry,
};

/// How long the link to an analysis is good for. Whoever looks at the workflow gets a new one.
pub const REVIEW_LINK_VALIDITY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the reviewer decided. Deserialising names the field that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
pub struct Approval {
    /// Whether the report is to be written.
    pub approved: bool,
    /// What the reviewer had to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

impl TryFrom<Value> for Approval {
    type Error = InvalidInput;

    fn try_from(value: Value) -> Result<Self, InvalidInput> {
        let Value::Object(mut fields) = value else {
            return Err(InvalidInput::unexpected("body", "an object", &value));
        };
        let approved = match fields.remove("approved") {
            Some(Value::Bool(approved)) => approved,
            Some(other) => return Err(InvalidInput::unexpected("approved", "true or false", &other)),
            None => return Err(InvalidInput::required("approved")),
        };
        let comment = match fields.remove("comment") {
            None | Some(Value::Null) => None,
            Some(Value::String(comment)) => Some(comment),
            Some(other) => return Err(InvalidInput::unexpected("comment", "a string", &other)),
        };
        reject_unknown(&fields, "", "approved, comment")?;
        Ok(Self { approved, comment })
    }
}

/// Puts the analysis before a reviewer.
#[durable_step(retry = retry::NOTIFICATIONS, timeout = "2m")]
pub(super) async fn request_approval(
    ports: &Ports,
    job: &Job,
    analysis: &PhaseResult,
    callback_id: &str,
) -> Result<(), WorkflowError> {
    let id = &job.workflow_id;
    let begun = Change::of(id, "request_approval")
        .to(Status::Running)
        .now_at("request_approval")
        .completing(Phase::Analysis.await_name(), Phase::Analysis.answered());
    ports.records.apply(begun).await?;
    let stored = stored_analysis(ports, job, analysis).await?;
    let review_url = ports.artifacts.presign(stored.clone(), REVIEW_LINK_VALIDITY).await;
    let review_url = review_url.map_err(|error| WorkflowError::artifact(&error))?;

    // On record first: whoever is notified can decide at once.
    let mut awaiting = Change::of(id, "request_approval")
        .to(Status::AwaitingApproval)
        .now_at("human_approval")
        .completing("request_approval", "a reviewer was asked");
    awaiting.approval = Some(ApprovalRequest {
        callback_id: callback_id.to_owned(),
        review_url: review_url.clone(),
        analysis: Some(stored),
    });
    ports.records.apply(awaiting).await?;

    let topic = job.input.topic();
    let notification = Notification {
        workflow_id: id.clone(),
        subject: format!("Approval needed: {topic}"),
        message: format!(
            "Read the analysis of \"{topic}\", then approve or reject workflow {id}. The link opens for a day; \
             after that the workflow shows a new one."
        ),
        review_url: review_url.clone(),
    };
    let notified = ports.notify.send(notification).await;
    if let Err(reason) = &notified {
        if step_attempt().unwrap_or(1) < retry::NOTIFICATIONS.max_attempts {
            return Err(WorkflowError::State {
                message: format!("the reviewer could not be notified: {reason}"),
                retryable: true,
            });
        }
        // Hours of work are worth more than a message: the request is on record, the event says the rest.
        tracing::warn!(workflow_id = id.as_str(), reason, "the reviewer could not be notified");
    }

    let event = DomainEvent {
        workflow_id: id.clone(),
        kind: "approval_requested".to_owned(),
        detail: json!({ "topic": topic, "review_url": review_url, "notified": notified.is_ok() }),
    };
    ports.events.emit(event).await?;
    Ok(())
}

/// A link needs an artifact, also when the analysis is small enough to travel inline.
async fn stored_analysis(
    ports: &Ports,
    job: &Job,
    analysis: &PhaseResult,
) -> Result<ArtifactRef, WorkflowError> {
    match analysis {
        PhaseResult::Reference(reference) => Ok(reference.clone()),
        PhaseResult::Inline(value) => {
            let bytes = serde_json::to_vec_pretty(value).expect("a JSON value has string keys only");
            let key = format!("{}/analysis.json", job.workflow_id);
            ports.artifacts.put(key, bytes).await.map_err(|error| WorkflowError::artifact(&error))
        }
    }
}

/// What it means that nobody decided.
pub(super) fn undecided(ports: &Ports, error: CallbackError) -> WorkflowError {
    match error {
        CallbackError::TimedOut { .. } | CallbackError::HeartbeatLost { .. } => {
            WorkflowError::ApprovalTimedOut { hours: ports.settings.approval_timeout.as_secs() / 3600 }
        }
        CallbackError::Failed { error, .. } => WorkflowError::State {
            message: format!("the approval failed: {}", crate::error::sanitised(error.message())),
            retryable: false,
        },
    }
}
