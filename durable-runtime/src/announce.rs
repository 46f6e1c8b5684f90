//! Tells plugins what happens. Nothing is described while nobody watches.

use std::sync::Arc;

use crate::{
    codec::Outcome,
    core::Core,
    plugin::{AttemptInfo, OperationInfo, OperationsChanged},
    protocol::{Operation, OperationAction, OperationId, OperationStatus},
    scope::{Cx, Identity, Run},
};

impl Run {
    /// Announces an operation whose record was met on replay.
    pub(crate) fn announce_recorded(&self, operation: &OperationInfo) {
        let ended = operation.status.is_some_and(OperationStatus::is_terminal);
        if !ended {
            self.plugins().each(|plugin| plugin.operation_started(operation));
        } else if self.updated.contains(&operation.id) {
            // It ended between two invocations, so nobody has announced that yet.
            self.plugins().each(|plugin| plugin.operation_ended(operation));
        }
    }

    /// The operations of an answer, and whether each of them has ended with it.
    pub(crate) fn describe_changes(
        &self,
        core: &Core,
        operations: &[Operation],
    ) -> Vec<(OperationInfo, bool)> {
        let describe = |operation: &Operation| {
            let before = core.history.get(&operation.id).map(|known| known.status);
            let has_ended =
                operation.status.is_terminal() && !before.is_some_and(OperationStatus::is_terminal);
            let info = OperationInfo::of_record(operation, false, Arc::clone(&self.arn));
            (info, has_ended)
        };
        operations.iter().map(describe).collect()
    }

    pub(crate) fn announce_changes(&self, described: &[(OperationInfo, bool)]) {
        let updated: Vec<OperationInfo> = described.iter().map(|(operation, _)| operation.clone()).collect();
        let known = |id: &OperationId| {
            let core = self.core();
            core.history
                .get(id)
                .map(|operation| OperationInfo::of_record(operation, false, Arc::clone(&self.arn)))
        };
        let operation_count = self.core().history.len();
        let change =
            OperationsChanged { execution_arn: &self.arn, updated: &updated, operation_count, known: &known };
        self.plugins().each(|plugin| plugin.operations_changed(&change));
        for (operation, _) in described.iter().filter(|(_, has_ended)| *has_ended) {
            self.plugins().each(|plugin| plugin.operation_ended(operation));
        }
    }
}

impl Cx {
    /// Announces that user code of this operation begins; gives what its end is announced with.
    pub(crate) fn announce_attempt(
        &self,
        identity: &Identity,
        attempt: Option<u32>,
        is_replaying_children: bool,
    ) -> Option<AttemptInfo> {
        let run = self.run();
        if run.plugins().is_empty() {
            return None;
        }
        let is_replay = run.core().history.contains(&identity.id);
        let operation = OperationInfo::of_start(
            &identity.update(OperationAction::Start),
            is_replay,
            Arc::clone(&run.arn),
        );
        let attempt = AttemptInfo {
            operation,
            attempt,
            started_at: self.now(),
            ended_at: None,
            succeeded: None,
            error: None,
            is_replaying_children,
        };
        run.plugins().each(|plugin| plugin.attempt_started(&attempt));
        Some(attempt)
    }

    /// Announces that user code has ended in `outcome`.
    pub(crate) fn announce_attempt_end(&self, attempt: Option<AttemptInfo>, outcome: &Outcome) {
        if let Some(attempt) = attempt {
            let attempt = attempt.ended(self.now(), outcome);
            self.run().plugins().each(|plugin| plugin.attempt_ended(&attempt));
        }
    }
}
