//! What is stored of an execution as a whole.

use std::{fmt, sync::Arc, time::Duration};

use durable_runtime::protocol::{ErrorObject, OperationId, Payload, Timestamp, limits};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ExecutionArn, ExecutionKey, Pauses, identity::execution_id};

/// Where an execution stands. A suspended execution is `Running`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ExecutionStatus {
    /// Begun, not ended.
    Running,
    /// Ended with a result.
    Succeeded,
    /// Ended with an error.
    Failed,
    /// Ended by its time limit.
    TimedOut,
    /// Ended by a stop from outside.
    Stopped,
    /// To be paused by the running invocation's next checkpoint, or at its end.
    Pausing,
    /// Not invoked until it is resumed.
    Paused,
}

impl ExecutionStatus {
    /// Every status, in the order of the API model.
    pub const ALL: [Self; 7] = [
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Stopped,
        Self::Pausing,
        Self::Paused,
    ];

    /// True when the execution has ended.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Running | Self::Pausing | Self::Paused)
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped => "STOPPED",
            Self::Pausing => "PAUSING",
            Self::Paused => "PAUSED",
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The invocation that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Its id, which fences all others.
    pub id: Uuid,
    /// When it began.
    pub started_at: Timestamp,
}

/// Who waits for this execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentLink {
    /// The execution that started this one.
    pub execution: ExecutionKey,
    /// Its operation that waits.
    pub operation: OperationId,
    /// True until that operation was told how this execution ended.
    pub owed: bool,
}

/// An execution as a whole: one row of the store.
///
/// Nothing in here changes when a step ends, so that a checkpoint in the middle of an invocation never
/// touches this row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionRecord {
    /// Its number in the store.
    pub key: ExecutionKey,
    /// Its id, the last segment of its ARN.
    pub id: Arc<str>,
    /// The region in its ARN.
    pub region: Arc<str>,
    /// The function it runs.
    pub function: Arc<str>,
    /// Its name, unique for its function.
    pub name: Arc<str>,
    /// The tenant it runs for.
    pub tenant: Option<Arc<str>>,
    /// The X-Ray header of whoever started it: `Root=…;Parent=…;Sampled=…`.
    pub trace_header: Option<Arc<str>>,
    /// Where it stands.
    pub status: ExecutionStatus,
    /// When it was created.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Seconds that it may take.
    pub timeout_seconds: u64,
    /// Its pauses.
    pub pauses: Pauses,
    /// The invocation that is running.
    pub invocation: Option<Invocation>,
    /// An invocation is owed from this moment on.
    pub owed_at: Option<Timestamp>,
    /// When the engine must look at this execution again; the epoch itself while an invocation runs.
    pub due_at: Option<Timestamp>,
    /// Failed invocations since the last clean one.
    pub failures: u32,
    /// Operations that the service changed since the last invocation was given its state.
    pub updated: Vec<OperationId>,
    /// Who waits for it.
    pub parent: Option<ParentLink>,
    /// What it returned.
    pub result: Option<Payload>,
    /// How it failed.
    pub error: Option<ErrorObject>,
}

impl ExecutionRecord {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        let (region, function) = (&self.region, &self.function);
        ExecutionArn { region, function, name: &self.name, id: &self.id }.to_string()
    }

    /// The moment at which it runs out of time, as far as that is known while it is paused.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        let longest = Duration::from_secs(limits::MAX_WAIT_SECONDS);
        if self.pauses.hold_time_limit() {
            return self.started_at.after(longest);
        }
        let extension = Duration::from_millis(self.pauses.extension_millis);
        let limit = Duration::from_secs(self.timeout_seconds).saturating_add(extension);
        self.started_at.after(limit.min(longest))
    }
}

/// Everything that a new execution is made of.
#[derive(Clone, Debug)]
pub struct NewExecution {
    /// Its number in the store.
    pub key: ExecutionKey,
    /// Makes its id impossible to guess.
    pub nonce: u64,
    /// The region in its ARN.
    pub region: Arc<str>,
    /// The function it runs.
    pub function: Arc<str>,
    /// Its name; a name is made from the id when there is none.
    pub name: Option<Arc<str>>,
    /// The tenant it runs for.
    pub tenant: Option<Arc<str>>,
    /// The X-Ray header of whoever starts it.
    pub trace_header: Option<Arc<str>>,
    /// Seconds that it may take.
    pub timeout_seconds: u64,
    /// Who waits for it.
    pub parent: Option<ParentLink>,
    /// What it is given.
    pub input: Option<Payload>,
}

impl NewExecution {
    pub(super) fn into_record(self, now: Timestamp) -> (ExecutionRecord, Option<Payload>) {
        let id: Arc<str> = execution_id(self.key, self.nonce).into();
        let record = ExecutionRecord {
            key: self.key,
            name: self.name.unwrap_or_else(|| Arc::clone(&id)),
            id,
            region: self.region,
            function: self.function,
            tenant: self.tenant,
            trace_header: self.trace_header,
            status: ExecutionStatus::Running,
            started_at: now,
            ended_at: None,
            timeout_seconds: self.timeout_seconds,
            pauses: Pauses::default(),
            invocation: None,
            owed_at: Some(now),
            due_at: Some(now),
            failures: 0,
            updated: Vec::new(),
            parent: self.parent,
            result: None,
            error: None,
        };
        (record, self.input)
    }
}
