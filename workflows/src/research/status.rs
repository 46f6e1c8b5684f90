//! Where a workflow stands, as its record shows it, and which moves are allowed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The visible status of a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Accepted; its first checkpoint is not durable yet.
    Initializing,
    /// A step is running or about to.
    Running,
    /// Suspended until an agent calls back.
    Pending,
    /// Suspended until a person decides.
    AwaitingApproval,
    /// The report is there.
    Completed,
    /// The reviewer said no.
    Rejected,
    /// Ended in an error.
    Failed,
    /// Stopped from outside.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a workflow's life.
    pub const ALL: [Self; 8] = [
        Self::Initializing,
        Self::Running,
        Self::Pending,
        Self::AwaitingApproval,
        Self::Completed,
        Self::Rejected,
        Self::Failed,
        Self::Cancelled,
    ];

    /// True when nothing changes this workflow any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Rejected | Self::Failed | Self::Cancelled)
    }

    /// True when a record may move from this status to `next`. Staying is always allowed, because steps run
    /// at least once; leaving a terminal status never is.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self == next || (!self.is_terminal() && next != Self::Initializing)
    }

    /// The name in records and in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Running => "RUNNING",
            Self::Pending => "PENDING",
            Self::AwaitingApproval => "AWAITING_APPROVAL",
            Self::Completed => "COMPLETED",
            Self::Rejected => "REJECTED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no [`Status`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "status: expected one of INITIALIZING, RUNNING, PENDING, AWAITING_APPROVAL, COMPLETED, REJECTED, FAILED, CANCELLED"
)]
pub struct UnknownStatus;

impl std::str::FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_agree_with_serde() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse::<Status>().unwrap(), status);
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn an_ended_workflow_never_moves_again() {
        for from in Status::ALL.into_iter().filter(|status| status.is_terminal()) {
            for to in Status::ALL.into_iter().filter(|to| *to != from) {
                assert!(!from.may_become(to), "{from} -> {to}");
            }
        }
    }

    #[test]
    fn nothing_goes_back_to_the_beginning() {
        for from in Status::ALL.into_iter().filter(|from| *from != Status::Initializing) {
            assert!(!from.may_become(Status::Initializing));
        }
    }
}
