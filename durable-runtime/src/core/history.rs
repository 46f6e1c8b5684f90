//! What the service recorded of this execution, and which of it the code has claimed.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::protocol::{Operation, OperationId, OperationType};

/// The recorded operations of one execution.
#[derive(Default)]
pub(crate) struct History {
    operations: Vec<Operation>,
    /// Parallel to `operations`: was it reached by this invocation's code, or written by it?
    claimed: Vec<bool>,
    positions: FxHashMap<OperationId, usize>,
    /// Operations recorded before this invocation and not yet claimed, by their parent.
    unclaimed_under: FxHashMap<Option<OperationId>, usize>,
    /// Groups whose branches have no record of their own; see [`History::unclaimed`].
    flat: FxHashSet<OperationId>,
}

impl History {
    /// Takes the operations of the envelope and its further pages.
    pub(crate) fn load(operations: Vec<Operation>) -> Self {
        let mut history = Self {
            claimed: vec![false; operations.len()],
            positions: FxHashMap::with_capacity_and_hasher(operations.len(), rustc_hash::FxBuildHasher),
            ..Self::default()
        };
        for (position, operation) in operations.iter().enumerate() {
            history.positions.insert(operation.id.clone(), position);
            if operation.operation_type == OperationType::Execution {
                continue;
            }
            match history.unclaimed_under.get_mut(&operation.parent_id) {
                Some(count) => *count += 1,
                None => drop(history.unclaimed_under.insert(operation.parent_id.clone(), 1)),
            }
        }
        history.operations = operations;
        history
    }

    /// True when nothing but the execution itself is recorded.
    pub(crate) fn is_empty(&self) -> bool {
        self.operations.iter().all(|operation| operation.operation_type == OperationType::Execution)
    }

    /// How many operations are known.
    pub(crate) fn len(&self) -> usize {
        self.operations.len()
    }

    pub(crate) fn get(&self, id: &OperationId) -> Option<&Operation> {
        self.positions.get(id).and_then(|position| self.operations.get(*position))
    }

    pub(crate) fn contains(&self, id: &OperationId) -> bool {
        self.positions.contains_key(id)
    }

    /// Notes that the code reached operation `id`, and says what was recorded of it.
    pub(crate) fn claim(&mut self, id: &OperationId) -> Option<&Operation> {
        let position = *self.positions.get(id)?;
        let operation = self.operations.get(position)?;
        if let Some(claimed @ false) = self.claimed.get_mut(position) {
            *claimed = true;
            if let Some(count) = self.unclaimed_under.get_mut(&operation.parent_id) {
                *count -= 1;
            }
        }
        Some(operation)
    }

    /// Takes an operation from a checkpoint's answer.
    pub(crate) fn absorb(&mut self, operation: Operation) {
        match self.positions.get(&operation.id) {
            Some(position) => {
                if let Some(slot) = self.operations.get_mut(*position) {
                    *slot = operation;
                }
            }
            None => {
                // Only this invocation's own updates create operations.
                self.positions.insert(operation.id.clone(), self.operations.len());
                self.operations.push(operation);
                self.claimed.push(true);
            }
        }
    }

    /// True while something recorded in this context has not been reached yet.
    pub(crate) fn is_replaying(&self, parent: &Option<OperationId>) -> bool {
        self.unclaimed_under.get(parent).is_some_and(|count| *count > 0)
    }

    /// Says that the branches of this group have no contexts of their own.
    pub(crate) fn mark_flat(&mut self, group: OperationId) {
        self.flat.insert(group);
    }

    /// The first recorded operation that the code should have reached and did not.
    ///
    /// Operations inside a finished context are left out: the context's own record replaces them. So are
    /// those of flat groups, where a branch that was cancelled leaves operations that no replay reaches.
    pub(crate) fn unclaimed(&self) -> Option<&Operation> {
        if self.unclaimed_under.values().all(|count| *count == 0) {
            return None;
        }
        self.operations.iter().zip(&self.claimed).find_map(|(operation, claimed)| {
            (!claimed && operation.operation_type != OperationType::Execution && self.is_live(operation))
                .then_some(operation)
        })
    }

    fn is_live(&self, operation: &Operation) -> bool {
        let mut parent = operation.parent_id.as_ref();
        while let Some(id) = parent {
            if self.flat.contains(id) {
                return false;
            }
            let Some(context) = self.get(id) else { return true };
            if context.status.is_terminal() {
                return false;
            }
            parent = context.parent_id.as_ref();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{OperationStatus, Timestamp};

    fn operation(id: &str, parent: Option<&str>, status: OperationStatus) -> Operation {
        let mut operation =
            Operation::started(OperationId::new(id), OperationType::Context, Timestamp::default());
        operation.parent_id = parent.map(OperationId::new);
        operation.status = status;
        operation
    }

    const OPEN: OperationStatus = OperationStatus::Started;
    const DONE: OperationStatus = OperationStatus::Succeeded;

    fn unclaimed(history: &History) -> Option<&str> {
        history.unclaimed().map(|operation| operation.id.as_str())
    }

    #[test]
    fn what_the_code_did_not_reach_is_found_in_order() {
        let mut history = History::load(vec![
            operation("a", None, DONE),
            operation("b", None, OPEN),
            operation("c", None, DONE),
        ]);
        assert_eq!(unclaimed(&history), Some("a"));
        history.claim(&OperationId::new("a"));
        history.claim(&OperationId::new("c"));
        assert_eq!(unclaimed(&history), Some("b"));
        history.claim(&OperationId::new("b"));
        assert_eq!(unclaimed(&history), None);
    }

    #[test]
    fn what_a_finished_context_left_behind_need_not_be_reached() {
        let mut history = History::load(vec![
            operation("done", None, DONE),
            operation("inside", Some("done"), OPEN),
            operation("deeper", Some("inside"), OPEN),
            operation("open", None, OPEN),
        ]);
        history.claim(&OperationId::new("done"));
        history.claim(&OperationId::new("open"));
        assert_eq!(unclaimed(&history), None);
    }

    #[test]
    fn cancelled_branches_of_a_flat_group_need_not_be_reached() {
        let mut history =
            History::load(vec![operation("group", None, OPEN), operation("step", Some("group"), OPEN)]);
        history.claim(&OperationId::new("group"));
        assert_eq!(unclaimed(&history), Some("step"));
        history.mark_flat(OperationId::new("group"));
        assert_eq!(unclaimed(&history), None);
    }

    #[test]
    fn each_context_replays_until_its_own_last_operation_is_reached() {
        let mut history = History::load(vec![operation("a", None, OPEN), operation("in-a", Some("a"), DONE)]);
        let inside = Some(OperationId::new("a"));
        assert!(history.is_replaying(&None) && history.is_replaying(&inside));
        history.claim(&OperationId::new("a"));
        assert!(!history.is_replaying(&None) && history.is_replaying(&inside));
        history.claim(&OperationId::new("in-a"));
        history.claim(&OperationId::new("in-a"));
        assert!(!history.is_replaying(&inside));
    }

    #[test]
    fn what_this_invocation_wrote_counts_as_reached() {
        let mut history = History::load(Vec::new());
        assert!(history.is_empty());
        history.absorb(operation("new", None, OPEN));
        history.absorb(operation("new", None, DONE));
        assert_eq!(history.get(&OperationId::new("new")).map(|new| new.status), Some(DONE));
        assert_eq!(unclaimed(&history), None);
    }
}
