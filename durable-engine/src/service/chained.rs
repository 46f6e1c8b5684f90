//! Other functions' executions, from the caller's side.

use std::{hash::Hasher, sync::Arc};

use durable_runtime::protocol::{
    ErrorObject, OperationAction, OperationId, OperationStatus as Status, OperationUpdate, Payload, Timestamp,
};
use siphasher::sip::SipHasher13;

use super::{
    EventDetails, Execution, ExecutionStatus, NewExecution, ParentLink, PayloadHome, Surroundings,
    event::{ChainedInvokeStartedDetails, ErrorDetails, ResultDetails},
};

/// The version that every function of an embedded engine has.
const VERSION: &str = "$LATEST";

/// How another function's execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChildOutcome {
    /// With a result.
    Succeeded(Option<Payload>),
    /// With an error, by timing out, or by being stopped.
    Ended(ExecutionStatus, Option<ErrorObject>),
}

impl Execution {
    pub(super) fn apply_to_chained_invoke(
        &mut self,
        update: OperationUpdate,
        surroundings: &mut Surroundings<'_>,
        children: &mut Vec<Execution>,
    ) {
        let now = surroundings.now;
        let position = self.position_for(&update, now);
        if update.action == OperationAction::Cancel {
            // The model has no event of its own for a cancelled invoke. The other execution goes on.
            self.close(position, Status::Cancelled, now);
            let details = ErrorDetails { error: update.error.into() };
            return self.emit_about(position, EventDetails::ChainedInvokeStopped(details), now, None);
        }
        let options = update.chained_invoke_options.unwrap_or_default();
        let child = (surroundings.resolve)(&options.function_name).map(|target| {
            Self::create(
                NewExecution {
                    key: target.key,
                    nonce: target.nonce,
                    region: Arc::clone(&self.record.region),
                    function: target.function,
                    name: Some(self.child_name(&update.id)),
                    tenant: options.tenant_id.as_deref().or(self.record.tenant.as_deref()).map(Arc::from),
                    trace_header: options
                        .x_amzn_trace_id
                        .map(Arc::from)
                        .or_else(|| self.record.trace_header.clone()),
                    timeout_seconds: self.record.timeout_seconds,
                    parent: Some(ParentLink {
                        execution: self.record.key,
                        operation: update.id.clone(),
                        owed: true,
                    }),
                    input: update.payload.clone(),
                },
                now,
            )
        });
        let details = ChainedInvokeStartedDetails {
            function_name: options.function_name.clone(),
            tenant_id: options.tenant_id,
            input: Some(update.payload.into()),
            executed_version: child.is_some().then(|| VERSION.to_owned()),
            durable_execution_arn: child.as_ref().map(|child| child.record.arn()),
        };
        self.emit_about(position, EventDetails::ChainedInvokeStarted(details), now, None);
        match child {
            Some(child) => children.push(child),
            None => {
                let message = format!("Function not found: {}", options.function_name);
                let error = ErrorObject::new("ResourceNotFoundException", message);
                self.complete_invoke(
                    &update.id,
                    ChildOutcome::Ended(ExecutionStatus::Failed, Some(error)),
                    now,
                );
            }
        }
    }

    /// Completes a chained invoke at the end of the execution it started. False when nobody waits any more.
    pub fn complete_invoke(&mut self, id: &OperationId, outcome: ChildOutcome, now: Timestamp) -> bool {
        let Some(position) = self.index.get(id).copied() else { return false };
        if self.record.status.is_terminal() || self.at(position).status != Status::Started {
            return false;
        }
        let stored = self.at_mut(position).chained_invoke_details.get_or_insert_default();
        let (status, details, home) = match outcome {
            ChildOutcome::Succeeded(result) => {
                stored.result.clone_from(&result);
                let details = EventDetails::ChainedInvokeSucceeded(ResultDetails { result: result.into() });
                (Status::Succeeded, details, u32::try_from(position).ok().map(PayloadHome::Operation))
            }
            ChildOutcome::Ended(ended, error) => {
                stored.error.clone_from(&error);
                let details = ErrorDetails { error: error.into() };
                let (status, details) = match ended {
                    ExecutionStatus::TimedOut => {
                        (Status::TimedOut, EventDetails::ChainedInvokeTimedOut(details))
                    }
                    ExecutionStatus::Stopped => {
                        (Status::Stopped, EventDetails::ChainedInvokeStopped(details))
                    }
                    _ => (Status::Failed, EventDetails::ChainedInvokeFailed(details)),
                };
                (status, details, None)
            }
        };
        self.close(position, status, now);
        self.emit_about(position, details, now, home);
        self.owe_invocation(Some(position), now);
        true
    }

    /// Who must still be told how this execution ended, and how it ended.
    #[must_use]
    pub fn owed_to_parent(&self) -> Option<(ParentLink, ChildOutcome)> {
        let parent = self.record.parent.clone().filter(|parent| parent.owed)?;
        let outcome = match self.record.status {
            ExecutionStatus::Running | ExecutionStatus::Pausing | ExecutionStatus::Paused => return None,
            ExecutionStatus::Succeeded => ChildOutcome::Succeeded(self.record.result.clone()),
            ended => ChildOutcome::Ended(ended, self.record.error.clone()),
        };
        Some((parent, outcome))
    }

    /// Notes that the parent was told.
    pub fn settle_parent(&mut self) {
        if let Some(parent) = &mut self.record.parent {
            parent.owed = false;
            self.touch_record();
        }
    }

    /// The name of the execution that a chained invoke starts: the same each time it is derived.
    fn child_name(&self, operation: &OperationId) -> Arc<str> {
        let readable = format!("{}-{operation}", self.record.id);
        if readable.len() <= durable_runtime::protocol::limits::EXECUTION_NAME {
            return readable.into();
        }
        let mut hasher = SipHasher13::new();
        hasher.write(operation.as_bytes());
        format!("{}-{:016x}", self.record.id, hasher.finish()).into()
    }
}
