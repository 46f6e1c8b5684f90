//! What a replay found, in words.

use std::fmt;

use durable_runtime::{
    plugin::OperationInfo,
    protocol::{Operation, OperationId, OperationType},
};

/// Whether today's code still fits a recorded history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayOutcome {
    /// It does.
    Matches(Replayed),
    /// It does not.
    Diverges(Box<Divergence>),
}

/// A replay that came to the end of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// How many recorded operations the code asked for.
    pub operations: usize,
    /// Where the code stands at the end of the recording.
    pub position: Position,
}

/// Where today's code stands at the end of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    /// The function returned this value, as recorded text.
    Returned(Option<String>),
    /// The function failed with this error.
    Failed(String),
    /// It waits for something recorded that has not ended.
    Waiting,
    /// It goes on with something that is not recorded yet.
    GoesOn,
}

/// The first place at which code and history differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The operation: the code's own when it was inserted, else the history's.
    pub operation: OperationRef,
    /// What happened to it.
    pub change: Change,
}

/// The kinds of change that break executions in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The code has it and the history has not.
    Inserted {
        /// The recorded operation that the code does not reach any more; absent at the end of the history.
        before: Option<OperationRef>,
    },
    /// The history has it, and the code never asks for it.
    Removed,
    /// The code asks for it later than it did.
    Reordered {
        /// What the code asks for first.
        after: OperationRef,
    },
    /// The code has an operation of the same kind and another name in its place.
    Renamed {
        /// That operation.
        to: OperationRef,
    },
    /// The code has an operation of another kind in its place.
    Retyped {
        /// That operation.
        to: OperationRef,
    },
    /// What is recorded of it can't be read as its type any more.
    Unreadable {
        /// Both sides.
        why: String,
    },
    /// The recorded version of the function is none that the code has.
    Version {
        /// Both sides.
        why: String,
    },
}

/// One operation, as the messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OperationRef {
    /// Its id.
    pub id: OperationId,
    /// Its kind.
    pub operation_type: OperationType,
    /// Its sub type, such as `Step` or `WaitForCondition`.
    pub sub_type: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its place in the history, counted from 1; absent when it is not recorded.
    pub position: Option<usize>,
}

impl OperationRef {
    pub(super) fn recorded(operation: &Operation, position: usize) -> Self {
        Self {
            id: operation.id.clone(),
            operation_type: operation.operation_type,
            sub_type: operation.sub_type.as_ref().map(ToString::to_string),
            name: operation.name.as_ref().map(ToString::to_string),
            position: Some(position),
        }
    }

    pub(super) fn asked(operation: &OperationInfo) -> Self {
        Self {
            id: operation.id.clone(),
            operation_type: operation.operation_type,
            sub_type: operation.sub_type.as_ref().map(ToString::to_string),
            name: operation.name.as_ref().map(ToString::to_string),
            position: None,
        }
    }
}

impl fmt::Display for OperationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation_type)?;
        if let Some(sub_type) = self.sub_type.as_deref().filter(|it| !same(it, self.operation_type)) {
            write!(f, " ({sub_type})")?;
        }
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        match self.position {
            Some(position) => write!(f, ", operation {position} of the history"),
            None => Ok(()),
        }
    }
}

/// Whether the sub type says nothing more than the type.
fn same(sub_type: &str, operation_type: OperationType) -> bool {
    let plain = match operation_type {
        OperationType::Step => "Step",
        OperationType::Wait => "Wait",
        OperationType::Callback => "Callback",
        OperationType::ChainedInvoke => "ChainedInvoke",
        _ => "",
    };
    sub_type == plain
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = &self.operation;
        match &self.change {
            Change::Inserted { before: Some(before) } => write!(
                f,
                "inserted: the code asks for {operation}, which the history does not have, and does not reach \
                 {before}; put the new operation behind `versioned!`, or after everything that is recorded"
            ),
            Change::Inserted { before: None } => write!(
                f,
                "inserted: the code asks for {operation} after everything that the history of the finished \
                 execution has; put the new operation behind `versioned!`"
            ),
            Change::Removed => write!(
                f,
                "removed: the history has {operation}, which the code never asks for; restore it, or keep it for \
                 older executions with `versioned!`"
            ),
            Change::Reordered { after } => write!(
                f,
                "reordered: the history has {operation} begun before {after} had ended, and the code asks for it \
                 only afterwards; restore the order, or choose it with `versioned!`"
            ),
            Change::Renamed { to } => write!(
                f,
                "renamed: the history has {operation}, and the code has {to} in its place; keep the old name, as \
                 with `#[durable_step(name = \"{}\")]` or `.named(..)`",
                operation.name.as_deref().unwrap_or_default()
            ),
            Change::Retyped { to } => write!(
                f,
                "retyped: the history has {operation}, and the code has {to} in its place; restore it, or choose \
                 between the two with `versioned!`"
            ),
            Change::Unreadable { why } => write!(
                f,
                "retyped: what the history has of {operation} can't be read as its type any more: {why}; let the \
                 type read the recorded form too, as with `#[serde(default)]` or `#[serde(alias = ..)]`"
            ),
            Change::Version { why } => write!(f, "version of {operation}: {why}"),
        }
    }
}
