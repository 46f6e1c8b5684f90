//! From the facts of a replay to the kind of change.

use std::collections::BTreeMap;

use durable_engine::service::{Event, EventType};
use durable_runtime::{
    plugin::OperationInfo,
    protocol::{
        CallbackDetails, ChainedInvokeDetails, ContextDetails, ErrorObject, Operation, OperationId,
        OperationStatus, OperationType, Payload, StepDetails,
    },
};

use super::{
    divergence::{Change, Divergence, OperationRef, Position, ReplayOutcome, Replayed},
    rerun::{Code, End, Facts},
    state::{fold, rebuild_contexts},
};

/// The name that both official SDKs give to this error.
const DIVERGED: &str = "NonDeterministicExecutionError";

/// Values that many types can be read from.
const LIKELY_VALUES: [&str; 8] =
    ["null", "true", "0", "\"\"", "[]", "{}", "\"1970-01-01T00:00:00Z\"", "[null,null]"];

/// Inverted operations that are looked at one by one; histories of wide groups have many, all of them harmless.
const INVERSIONS: usize = 200;

pub(super) fn diagnose(code: &Code, events: &[Event]) -> ReplayOutcome {
    let recorded = Recorded { operations: fold(events), events };
    let facts = code.replay(recorded.operations.clone());
    let Some(divergence) = recorded.divergence(code, &facts) else { return recorded.matches(facts) };
    // An export does not say which contexts are rebuilt from their children. If all of them are and the code
    // matches then, it matches.
    let mut rebuilt = recorded.operations.clone();
    rebuild_contexts(&mut rebuilt);
    if rebuilt != recorded.operations {
        let again = Recorded { operations: rebuilt, events };
        let facts = code.replay(again.operations.clone());
        if again.divergence(code, &facts).is_none() {
            return again.matches(facts);
        }
    }
    ReplayOutcome::Diverges(Box::new(divergence))
}

struct Recorded<'a> {
    operations: Vec<Operation>,
    events: &'a [Event],
}

impl Recorded<'_> {
    fn matches(&self, facts: Facts) -> ReplayOutcome {
        let position = match facts.end {
            End::Returned(Ok(result)) => Position::Returned(result),
            End::Returned(Err(error)) => Position::Failed(error.to_string()),
            End::Waiting => Position::Waiting,
            End::Beyond => Position::GoesOn,
        };
        ReplayOutcome::Matches(Replayed { operations: facts.claimed.len(), position })
    }

    fn divergence(&self, code: &Code, facts: &Facts) -> Option<Divergence> {
        if let Some(error) = facts.error()
            && let Some(divergence) = self.of_error(code, facts, error)
        {
            return Some(divergence);
        }
        let returned = self.events.iter().any(|event| event.event_type == EventType::ExecutionSucceeded);
        if returned && let Some(asked) = facts.asked.first() {
            let change = Change::Inserted { before: None };
            return Some(Divergence { operation: OperationRef::asked(asked), change });
        }
        self.reordered(code, facts)
    }

    /// What an error that ended the replay says about code and history.
    fn of_error(&self, code: &Code, facts: &Facts, error: &ErrorObject) -> Option<Divergence> {
        let message = error.error_message.as_deref().unwrap_or_default();
        let about = self.mentioned(message);
        if error.error_type.as_deref() == Some(DIVERGED) {
            let change = if message.starts_with("[D001]") {
                return Some(self.unreached(code, facts, self.find(about?)?));
            } else if message.starts_with("[D002]") {
                let mut to = self.reference(about?)?;
                // The same identity, of another kind: the words are all there is.
                to.position = None;
                to.sub_type = message
                    .rsplit_once("(sub type ")
                    .and_then(|(_, rest)| rest.split_once(')').map(|(sub_type, _)| sub_type.to_owned()));
                Change::Retyped { to }
            } else {
                Change::Version { why: message.to_owned() }
            };
            let operation = about.and_then(|id| self.reference(id)).or_else(|| self.execution())?;
            return Some(Divergence { operation, change });
        }
        let unreadable = message.contains(" does not fit its type: ") || message.contains(" can't be used: ");
        if message.starts_with("the record of ") && unreadable {
            let why = message.to_owned();
            return Some(Divergence {
                operation: self.reference(about?)?,
                change: Change::Unreadable { why },
            });
        }
        if error.error_type.as_deref() == Some("InvalidInput") {
            let why = message.to_owned();
            return Some(Divergence { operation: self.execution()?, change: Change::Unreadable { why } });
        }
        None
    }

    /// The history has `unreached`, and the code did not ask for it.
    fn unreached(&self, code: &Code, facts: &Facts, unreached: &Operation) -> Divergence {
        let operation = self.reference(&unreached.id).expect("it is recorded");
        let asked = facts.asked.iter().find(|asked| asked.parent_id == unreached.parent_id);
        let Some(asked) = asked.or_else(|| facts.asked.first()) else {
            return Divergence { operation, change: Change::Removed };
        };
        let to = OperationRef::asked(asked);
        let replaced = |to: OperationRef| {
            let same_kind =
                to.operation_type == operation.operation_type && to.sub_type == operation.sub_type;
            let change = if same_kind { Change::Renamed { to } } else { Change::Retyped { to } };
            Divergence { operation: operation.clone(), change }
        };
        match self.reaches(code, unreached, asked) {
            Some(false) => replaced(to),
            // Nothing can be made that the code would take for the new operation's result.
            None if to.name.is_some() && to.name == operation.name => replaced(to),
            Some(true) | None => {
                Divergence { operation: to, change: Change::Inserted { before: Some(operation) } }
            }
        }
    }

    /// Whether the code would ask for `unreached` once `asked` has ended; `None` when no result fits its type.
    fn reaches(&self, code: &Code, unreached: &Operation, asked: &OperationInfo) -> Option<bool> {
        let own = payload_of(unreached).cloned();
        let likely = LIKELY_VALUES.iter().map(|value| Payload::from(*value));
        for value in own.into_iter().chain(likely) {
            let mut operations = self.operations.clone();
            let place = operations.iter().position(|it| it.id == unreached.id).unwrap_or(operations.len());
            operations.insert(place, ended(asked, unreached, value));
            let facts = code.replay(operations);
            let message = facts.error().and_then(|error| error.error_message.as_deref()).unwrap_or_default();
            let misfit = message.starts_with("the record of ") && message.contains(asked.id.as_str());
            if !misfit {
                return Some(facts.claimed.contains(&unreached.id));
            }
        }
        None
    }

    /// An operation that the code asks for only after another one has ended, although it began before that.
    ///
    /// Looks at the moment when it had just begun: an execution that was in flight then has it recorded, and
    /// today's code would not ask for it.
    fn reordered(&self, code: &Code, facts: &Facts) -> Option<Divergence> {
        let begun: BTreeMap<&OperationId, usize> = self
            .operations
            .iter()
            .enumerate()
            .map(|(position, operation)| (&operation.id, position))
            .collect();
        let mut latest = 0;
        let mut inverted = Vec::new();
        for id in &facts.claimed {
            let Some(position) = begun.get(id) else { continue };
            if *position < latest {
                inverted.push(*position);
            }
            latest = latest.max(*position);
        }
        inverted.sort_unstable();
        inverted.into_iter().take(INVERSIONS).find_map(|position| {
            let late = self.operations.get(position)?;
            let begins = self.events.iter().position(|event| event.id.as_ref() == Some(&late.id))?;
            let facts = code.replay(fold(self.events.get(..=begins)?));
            let message = facts.error()?.error_message.as_deref()?;
            if !message.starts_with("[D001]") || self.mentioned(message) != Some(&late.id) {
                return None;
            }
            let first = facts.asked.iter().find(|asked| begun.contains_key(&asked.id))?;
            let after = self.reference(&first.id)?;
            Some(Divergence { operation: self.reference(&late.id)?, change: Change::Reordered { after } })
        })
    }

    /// The recorded operation that a message names first.
    fn mentioned(&self, message: &str) -> Option<&OperationId> {
        let (_, rest) = message.split_once("(id ")?;
        let (id, _) = rest.split_once(')')?;
        self.operations.iter().map(|operation| &operation.id).find(|known| known.as_str() == id)
    }

    fn find(&self, id: &OperationId) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.id == *id)
    }

    fn reference(&self, id: &OperationId) -> Option<OperationRef> {
        // The execution itself is the first one, so that others are counted from 1.
        let position = self.operations.iter().position(|operation| operation.id == *id)?;
        Some(OperationRef::recorded(self.operations.get(position)?, position))
    }

    fn execution(&self) -> Option<OperationRef> {
        let mut execution = self.reference(&self.operations.first()?.id)?;
        execution.position = None;
        Some(execution)
    }
}

fn payload_of(operation: &Operation) -> Option<&Payload> {
    operation
        .step_details
        .as_ref()
        .and_then(|details| details.result.as_ref())
        .or_else(|| operation.context_details.as_ref()?.result.as_ref())
        .or_else(|| operation.callback_details.as_ref()?.result.as_ref())
        .or_else(|| operation.chained_invoke_details.as_ref()?.result.as_ref())
}

/// `asked` as if it had ended with `value`, at the time of `like`.
fn ended(asked: &OperationInfo, like: &Operation, value: Payload) -> Operation {
    let mut operation = Operation::started(asked.id.clone(), asked.operation_type, like.start_timestamp);
    operation.parent_id.clone_from(&asked.parent_id);
    operation.name.clone_from(&asked.name);
    operation.sub_type.clone_from(&asked.sub_type);
    operation.status = OperationStatus::Succeeded;
    operation.end_timestamp = Some(like.start_timestamp);
    let result = Some(value);
    match asked.operation_type {
        OperationType::Step => {
            operation.step_details = Some(StepDetails { attempt: Some(1), result, ..StepDetails::default() });
        }
        OperationType::Context => {
            operation.context_details = Some(ContextDetails { result, ..ContextDetails::default() });
        }
        OperationType::Callback => {
            let callback_id = Some("replay".to_owned());
            let details = CallbackDetails { callback_id, result, error: None };
            operation.callback_details = Some(Box::new(details));
        }
        OperationType::ChainedInvoke => {
            operation.chained_invoke_details = Some(Box::new(ChainedInvokeDetails { result, error: None }));
        }
        _ => {}
    }
    operation
}
