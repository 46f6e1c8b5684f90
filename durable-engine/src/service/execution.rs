//! The aggregate: one execution's state in memory, and the bookkeeping of what changed.

use std::collections::{BTreeMap, BTreeSet};

use durable_runtime::protocol::{
    ErrorObject, ExecutionDetails, Operation, OperationId, OperationStatus, OperationType, Payload, Timestamp,
};
use rustc_hash::FxHashMap;

use super::{
    CallbackTimer, Event, EventDetails, ExecutionKey, ExecutionRecord, ExecutionStatus, NewExecution,
    event::{ErrorDetails, EventError, ExecutionStartedDetails, OptionalErrorDetails, ResultDetails},
    invocation::Session,
};

/// One execution: its record, its operations in order of creation, and what is running for it.
///
/// Each method that changes something leaves the change to be fetched by [`Execution::take_changes`]. The
/// caller makes it durable before it tells anybody.
#[derive(Debug)]
pub struct Execution {
    pub(super) record: ExecutionRecord,
    pub(super) operations: Vec<Operation>,
    pub(super) index: FxHashMap<OperationId, usize>,
    /// Waits and retries by due time.
    pub(super) timers: BTreeSet<(Timestamp, usize)>,
    /// Time limits of open callbacks.
    pub(super) callback_timers: BTreeMap<usize, CallbackTimer>,
    pub(super) last_event_id: u64,
    /// The running invocation's side of the state; `None` when none was begun in this process.
    pub(super) session: Option<Session>,
    changes: PendingChanges,
}

/// An execution as a store gives it back.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The execution as a whole.
    pub record: ExecutionRecord,
    /// Its operations in order of creation.
    pub operations: Vec<Operation>,
    /// The time limits of its callbacks, by position of the operation.
    pub callback_timers: Vec<(u32, CallbackTimer)>,
    /// The id of its last event.
    pub last_event_id: u64,
}

/// What a store must make durable, all of it or nothing.
#[derive(Clone, Debug)]
pub struct Changes {
    /// Which execution.
    pub key: ExecutionKey,
    /// True when the execution is new; `record` is then present.
    pub created: bool,
    /// The execution as a whole, if that changed.
    pub record: Option<Box<ExecutionRecord>>,
    /// The operations that are new or changed, by position.
    pub operations: Vec<ChangedOperation>,
    /// The events to add, with contiguous ids.
    pub events: Vec<NewEvent>,
}

impl Changes {
    /// Moves the changes out.
    pub(crate) fn take(&mut self) -> Self {
        Self {
            key: self.key,
            created: self.created,
            record: self.record.take(),
            operations: std::mem::take(&mut self.operations),
            events: std::mem::take(&mut self.events),
        }
    }

    /// True when there is nothing to make durable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.record.is_none() && self.operations.is_empty() && self.events.is_empty()
    }
}

/// An operation that is new or changed.
#[derive(Clone, Debug)]
pub struct ChangedOperation {
    /// Its position in the execution: 0 is the execution itself.
    pub position: u32,
    /// The operation, whole.
    pub operation: Operation,
    /// Its time limits, when it is a callback.
    pub callback_timer: Option<CallbackTimer>,
}

/// An event to add to the history.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event.
    pub event: Event,
    /// Where the event's payload is stored anyway and will never change, so that a store keeps it once.
    pub payload_home: Option<PayloadHome>,
}

/// A place where a payload is stored for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadHome {
    /// The operation at this position.
    Operation(u32),
    /// The execution's result.
    Result,
}

#[derive(Debug, Default)]
struct PendingChanges {
    created: bool,
    record: bool,
    operations: Vec<usize>,
    events: Vec<NewEvent>,
}

impl Execution {
    /// Creates an execution. Its first invocation is owed at once.
    #[must_use]
    pub fn create(new: NewExecution, now: Timestamp) -> Self {
        let (record, input) = new.into_record(now);
        let mut root = Operation::started(OperationId::new(&record.id), OperationType::Execution, now);
        root.execution_details = Some(ExecutionDetails { input_payload: input.clone() });
        let details = EventDetails::ExecutionStarted(ExecutionStartedDetails {
            input: input.into(),
            execution_timeout: record.timeout_seconds,
        });
        let mut execution = Self {
            record,
            operations: Vec::new(),
            index: FxHashMap::default(),
            timers: BTreeSet::new(),
            callback_timers: BTreeMap::new(),
            last_event_id: 0,
            session: None,
            changes: PendingChanges { created: true, record: true, ..PendingChanges::default() },
        };
        execution.push_operation(root);
        execution.emit_about(0, details, now, Some(PayloadHome::Operation(0)));
        execution
    }

    /// Brings an execution back from a store.
    #[must_use]
    pub fn load(loaded: Loaded) -> Self {
        let mut index =
            FxHashMap::with_capacity_and_hasher(loaded.operations.len(), rustc_hash::FxBuildHasher);
        let mut timers = BTreeSet::new();
        for (position, operation) in loaded.operations.iter().enumerate() {
            index.insert(operation.id.clone(), position);
            timers.extend(timer_of(operation).map(|due| (due, position)));
        }
        let open_callback = |position: &u32| {
            loaded.operations.get(*position as usize).is_some_and(|operation| !operation.status.is_terminal())
        };
        let callback_timers = loaded.callback_timers.iter().filter(|(position, _)| open_callback(position));
        Self {
            callback_timers: callback_timers.map(|(position, timer)| (*position as usize, *timer)).collect(),
            record: loaded.record,
            operations: loaded.operations,
            index,
            timers,
            last_event_id: loaded.last_event_id,
            session: None,
            changes: PendingChanges::default(),
        }
    }

    /// The execution as a whole.
    #[must_use]
    pub fn record(&self) -> &ExecutionRecord {
        &self.record
    }

    /// The operations in order of creation, the execution itself first.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation with this id.
    #[must_use]
    pub fn operation(&self, id: &OperationId) -> Option<&Operation> {
        self.operations.get(*self.index.get(id)?)
    }

    /// Fetches what must be made durable since the last call.
    #[must_use]
    pub fn take_changes(&mut self) -> Changes {
        let mut pending = std::mem::take(&mut self.changes);
        if pending.record {
            self.record.due_at = self.due_at();
        }
        pending.operations.sort_unstable();
        pending.operations.dedup();
        let operations = pending.operations.into_iter().filter_map(|position| {
            Some(ChangedOperation {
                position: u32::try_from(position).ok()?,
                operation: self.operations.get(position)?.clone(),
                callback_timer: self.callback_timers.get(&position).copied(),
            })
        });
        Changes {
            key: self.record.key,
            created: pending.created,
            record: pending.record.then(|| Box::new(self.record.clone())),
            operations: operations.collect(),
            events: pending.events,
        }
    }

    /// Says that the record changed.
    pub(super) fn touch_record(&mut self) {
        self.changes.record = true;
    }

    /// Says that the operation at `position` changed: it must be stored and shown to the invocation.
    pub(super) fn touch(&mut self, position: usize) {
        self.changes.operations.push(position);
        if let Some(session) = &mut self.session {
            session.undelivered.insert(position);
        }
    }

    /// Says that only the time limits of the operation at `position` changed, which no invocation sees.
    pub(super) fn store_timer_of(&mut self, position: usize) {
        self.changes.operations.push(position);
    }

    pub(super) fn push_operation(&mut self, operation: Operation) -> usize {
        let position = self.operations.len();
        self.index.insert(operation.id.clone(), position);
        self.operations.push(operation);
        self.touch(position);
        position
    }

    /// The operation at a position that came out of `index`, `timers` or `callback_timers`.
    pub(super) fn at(&self, position: usize) -> &Operation {
        self.operations.get(position).expect("positions are only taken from this execution's own indexes")
    }

    /// See [`Self::at`].
    pub(super) fn at_mut(&mut self, position: usize) -> &mut Operation {
        self.operations.get_mut(position).expect("positions are only taken from this execution's own indexes")
    }

    /// Ends the operation at `position`.
    pub(super) fn close(&mut self, position: usize, status: OperationStatus, now: Timestamp) {
        if let Some(due) = timer_of(self.at(position)) {
            self.timers.remove(&(due, position));
        }
        self.callback_timers.remove(&position);
        let operation = self.at_mut(position);
        operation.status = status;
        operation.end_timestamp = Some(now);
        self.touch(position);
    }

    /// Adds an event about the operation at `position`.
    pub(super) fn emit_about(
        &mut self,
        position: usize,
        details: EventDetails,
        now: Timestamp,
        payload_home: Option<PayloadHome>,
    ) {
        let operation = self.at(position);
        let event = Event {
            event_type: details.event_type(),
            sub_type: operation.sub_type.clone(),
            event_id: self.last_event_id + 1,
            id: Some(operation.id.clone()),
            name: operation.name.clone(),
            event_timestamp: now,
            parent_id: operation.parent_id.clone(),
            details,
        };
        self.push_event(event, payload_home);
    }

    /// Adds an event that is about no operation.
    pub(super) fn emit(&mut self, details: EventDetails, now: Timestamp) {
        let event = Event {
            event_type: details.event_type(),
            sub_type: None,
            event_id: self.last_event_id + 1,
            id: None,
            name: None,
            event_timestamp: now,
            parent_id: None,
            details,
        };
        self.push_event(event, None);
    }

    fn push_event(&mut self, event: Event, payload_home: Option<PayloadHome>) {
        self.last_event_id = event.event_id;
        self.changes.events.push(NewEvent { event, payload_home });
    }

    /// Ends the execution. Open operations stay as they are; their timers are dropped.
    pub(super) fn end(&mut self, end: End, now: Timestamp) {
        let (status, details, home) = match &end {
            End::Succeeded(result) => {
                self.record.result.clone_from(result);
                let details = ResultDetails { result: result.clone().into() };
                (
                    ExecutionStatus::Succeeded,
                    EventDetails::ExecutionSucceeded(details),
                    Some(PayloadHome::Result),
                )
            }
            End::Failed(error) => {
                self.record.error.clone_from(error);
                let details = ErrorDetails { error: error.clone().into() };
                (ExecutionStatus::Failed, EventDetails::ExecutionFailed(details), None)
            }
            End::Stopped(error) => {
                self.record.error = Some(error.clone());
                let details = ErrorDetails { error: Some(error.clone()).into() };
                (ExecutionStatus::Stopped, EventDetails::ExecutionStopped(details), None)
            }
            End::TimedOut(error) => {
                self.record.error = Some(error.clone());
                let details = OptionalErrorDetails { error: Some(EventError::from(Some(error.clone()))) };
                (ExecutionStatus::TimedOut, EventDetails::ExecutionTimedOut(details), None)
            }
        };
        self.record.status = status;
        self.record.ended_at = Some(now);
        self.record.owed_at = None;
        self.record.pauses.current = None;
        self.record.updated.clear();
        self.timers.clear();
        self.callback_timers.clear();
        self.touch_record();
        self.close(0, operation_status(status), now);
        self.emit_about(0, details, now, home);
    }
}

/// How an execution ends.
pub(super) enum End {
    Succeeded(Option<Payload>),
    Failed(Option<ErrorObject>),
    Stopped(ErrorObject),
    TimedOut(ErrorObject),
}

const fn operation_status(status: ExecutionStatus) -> OperationStatus {
    match status {
        ExecutionStatus::Running | ExecutionStatus::Pausing | ExecutionStatus::Paused => {
            OperationStatus::Started
        }
        ExecutionStatus::Succeeded => OperationStatus::Succeeded,
        ExecutionStatus::Failed => OperationStatus::Failed,
        ExecutionStatus::TimedOut => OperationStatus::TimedOut,
        ExecutionStatus::Stopped => OperationStatus::Stopped,
    }
}

/// When time completes this operation, if it does: an open wait, or a step between attempts.
pub(super) fn timer_of(operation: &Operation) -> Option<Timestamp> {
    match (operation.operation_type, operation.status) {
        (OperationType::Wait, OperationStatus::Started) => {
            operation.wait_details.as_ref()?.scheduled_end_timestamp
        }
        (OperationType::Step, OperationStatus::Pending) => {
            operation.step_details.as_ref()?.next_attempt_timestamp
        }
        _ => None,
    }
}
