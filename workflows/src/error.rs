//! The one hierarchy of errors, which survives replay with its types.

use durable_runtime::{Interruption, prelude::*};
use serde::{Deserialize, Serialize};

use crate::{
    ports::StoreError,
    research::{InvalidInput, Phase},
};

/// Why a workflow failed. Messages are for the caller: no secrets, no internal paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WorkflowError {
    /// An agent could not be reached, refused the task, reported a failure or answered uselessly.
    #[error("the {} failed: {message}", phase.agent())]
    AgentInvocation {
        /// Whose agent.
        phase: Phase,
        /// What it said.
        message: String,
        /// True when the same call may succeed later.
        retryable: bool,
    },
    /// A large payload could not be stored or read back.
    #[error("artifact storage: {message}")]
    ArtifactStorage {
        /// What went wrong.
        message: String,
        /// True when the same call may succeed later.
        retryable: bool,
    },
    /// The workflow's record could not be kept, or it forbids what was asked.
    #[error("workflow state: {message}")]
    State {
        /// What went wrong.
        message: String,
        /// True when the same call may succeed later.
        retryable: bool,
    },
    /// The input breaks a rule.
    #[error("invalid input: {0}")]
    Validation(InvalidInput),
    /// Nobody decided in time.
    #[error("nobody approved or rejected within {hours} h")]
    ApprovalTimedOut {
        /// How long it waited.
        hours: u64,
    },
    /// An agent did not call back in time, or stopped sending heartbeats.
    #[error("the {} did not answer in time: {message}", phase.agent())]
    AgentTimedOut {
        /// Whose agent.
        phase: Phase,
        /// Which limit it missed.
        message: String,
    },
}

impl WorkflowError {
    /// A final [`AgentInvocation`](Self::AgentInvocation) error with what the agent said made fit to show.
    #[must_use]
    pub fn agent(phase: Phase, message: &str) -> Self {
        Self::AgentInvocation { phase, message: sanitised(message), retryable: false }
    }

    /// The error of an artifact store.
    #[must_use]
    pub fn artifact(error: &StoreError) -> Self {
        Self::ArtifactStorage { message: error.public_message(), retryable: error.is_transient() }
    }

    /// True when another attempt may succeed; the retry policies of the steps ask this.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::AgentInvocation { retryable, .. }
            | Self::ArtifactStorage { retryable, .. }
            | Self::State { retryable, .. } => *retryable,
            Self::Validation(_) | Self::ApprovalTimedOut { .. } | Self::AgentTimedOut { .. } => false,
        }
    }

    /// The kind as records and events name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AgentInvocation { .. } => "agent_invocation",
            Self::ArtifactStorage { .. } => "artifact_storage",
            Self::State { .. } => "workflow_state",
            Self::Validation(_) => "validation",
            Self::ApprovalTimedOut { .. } => "approval_timed_out",
            Self::AgentTimedOut { .. } => "agent_timed_out",
        }
    }
}

impl From<StoreError> for WorkflowError {
    fn from(error: StoreError) -> Self {
        Self::State { message: error.public_message(), retryable: error.is_transient() }
    }
}

impl From<Interrupted> for WorkflowError {
    /// An attempt that ended without an answer is the fault of whoever it waited for.
    fn from(interrupted: Interrupted) -> Self {
        let message = sanitised(&interrupted.to_string());
        let retryable = true;
        if let Interruption::TimedOut { milliseconds } = interrupted.reason {
            if let Some(phase) = Phase::ALL.into_iter().find(|it| it.dispatch_name() == interrupted.step) {
                let message = format!("it did not accept the task within {} s", milliseconds / 1000);
                return Self::AgentInvocation { phase, message, retryable };
            }
            if Phase::ALL.into_iter().any(|phase| phase.fetch_name() == interrupted.step) {
                return Self::ArtifactStorage { message, retryable };
            }
        }
        Self::State { message, retryable }
    }
}

/// Text from outside, fit for a record that people read: one line, of bounded length, with file system
/// paths and credentials in URLs or headers blanked.
#[must_use]
pub fn sanitised(text: &str) -> String {
    const LONGEST: usize = 400;
    let mut clean: Vec<String> = Vec::new();
    let mut hide_next = false;
    for word in text.split_whitespace() {
        let lower = word.to_ascii_lowercase();
        if std::mem::take(&mut hide_next) {
            clean.push("[redacted]".to_owned());
            // `Authorization: Bearer xyz` hides both words.
            hide_next = lower == "bearer" || lower == "basic";
            continue;
        }
        clean.push(sanitised_word(word, &lower));
        hide_next = lower == "bearer"
            || SECRET_NAMES.iter().any(|name| {
                lower.trim_end_matches([':', '=']).ends_with(name) && lower.ends_with([':', '='])
            });
    }
    let line = clean.join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

const SECRET_NAMES: [&str; 7] =
    ["authorization", "api-key", "api_key", "apikey", "token", "password", "secret"];

fn sanitised_word(word: &str, lower: &str) -> String {
    if let Some((name, _)) = lower.split_once(['=', ':'])
        && SECRET_NAMES.iter().any(|secret| name.ends_with(secret))
        && let Some((name, value)) = word.split_once(['=', ':'])
        && !value.is_empty()
    {
        return format!("{name}=[redacted]");
    }
    if let Some((scheme, rest)) = word.split_once("://") {
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        let host = host.split_once('?').map_or(host, |(host, _)| host);
        return format!("{scheme}://{host}");
    }
    let bare = word.trim_matches(['"', '\'', '`', '(', ')', ',', ':', ';']);
    let is_path = bare.starts_with('/') && bare.len() > 1
        || bare.starts_with("~/")
        || bare.chars().nth(1) == Some(':') && bare.chars().nth(2) == Some('\\');
    if is_path { word.replace(bare, "[path]") } else { word.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_a_round_trip_with_their_kind() {
        let errors = [
            WorkflowError::agent(Phase::Research, "no"),
            WorkflowError::ArtifactStorage { message: "full".into(), retryable: true },
            WorkflowError::State { message: "gone".into(), retryable: false },
            WorkflowError::Validation(InvalidInput { field: "topic".into(), expected: "is required".into() }),
            WorkflowError::ApprovalTimedOut { hours: 24 },
            WorkflowError::AgentTimedOut { phase: Phase::Writing, message: "1 h".into() },
        ];
        for error in errors {
            let json = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<WorkflowError>(&json).unwrap(), error, "{json}");
        }
    }

    #[test]
    fn an_attempt_that_ran_out_of_time_blames_whom_it_waited_for() {
        let error = |step: &str, reason: Interruption| {
            let error = WorkflowError::from(Interrupted { step: step.to_owned(), attempt: 2, reason });
            assert!(error.is_retryable());
            (error.kind(), error.to_string())
        };
        let late = Interruption::TimedOut { milliseconds: 120_000 };
        assert_eq!(
            error("writing_phase_dispatch", late.clone()),
            ("agent_invocation", "the writer failed: it did not accept the task within 120 s".to_owned()),
        );
        assert_eq!(error("research_phase_fetch_artifact", late.clone()).0, "artifact_storage");
        assert_eq!(error("finalize_workflow", late).0, "workflow_state");
        let panicked = Interruption::Panicked { message: "token=abc at /home/me/x.rs".to_owned() };
        let (kind, message) = error("writing_phase_dispatch", panicked);
        assert_eq!(kind, "workflow_state");
        assert!(message.ends_with("it panicked: token=[redacted] at [path]"), "{message}");
    }

    #[test]
    fn secrets_and_paths_are_blanked() {
        assert_eq!(
            sanitised("open '/home/me/data/x.db': denied, Authorization: Bearer abc123 token=xyz"),
            "open '[path]': denied, Authorization: [redacted] [redacted] token=[redacted]",
        );
        assert_eq!(sanitised("GET http://u:p@host/x?sig=1 failed"), "GET http://host/x failed");
        assert_eq!(sanitised("a\n  b"), "a b");
        assert!(sanitised(&"y".repeat(5000)).chars().count() <= 401);
    }
}
