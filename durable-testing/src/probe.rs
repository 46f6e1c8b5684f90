//! Counts and names the moments at which a process could die, and stops it where it is told to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use durable_runtime::{
    protocol::{OperationAction, OperationUpdate},
    service::{BoxFuture, CheckpointRequest, CheckpointResponse, DurableService, ServiceError},
};
use tokio::sync::Notify;

use crate::between::{Between, Invocation, Invoked};

/// A moment at which a process could die with another outcome than just before it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Boundary {
    /// Counted from 1 over all lives of the process.
    pub number: usize,
    /// Which moment it is, such as ``before checkpoint call 3 (START step `charge`)``.
    pub moment: String,
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "boundary {}: {}", self.number, self.moment)
    }
}

/// How often something was done for one execution.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) checkpoints: usize,
    pub(crate) invocations: usize,
}

/// The boundaries of a run: the moments before and after each change of durable state.
#[derive(Debug, Default)]
pub(crate) struct Boundaries {
    /// The boundaries at which the process dies.
    fatal: BTreeSet<usize>,
    pub(crate) died: Notify,
    passed: Mutex<Passed>,
}

#[derive(Debug, Default)]
struct Passed {
    boundaries: Vec<Boundary>,
    total: Counts,
    by_execution: BTreeMap<String, Counts>,
}

impl Boundaries {
    pub(crate) fn dying_at(fatal: BTreeSet<usize>) -> Arc<Self> {
        Arc::new(Self { fatal, ..Self::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The boundaries passed so far, the fatal ones included.
    pub(crate) fn passed(&self) -> Vec<Boundary> {
        self.lock().boundaries.clone()
    }

    /// The latest boundary at which the process died.
    pub(crate) fn last_fatal(&self) -> Option<Boundary> {
        let passed = self.lock();
        passed.boundaries.iter().rev().find(|boundary| self.fatal.contains(&boundary.number)).cloned()
    }

    /// The counts of all executions together.
    pub(crate) fn total(&self) -> Counts {
        self.lock().total
    }

    pub(crate) fn of_execution(&self, arn: &str) -> Counts {
        self.lock().by_execution.get(arn).copied().unwrap_or_default()
    }

    /// Counts by `count`, in the total and for the execution; gives the total.
    fn count(&self, arn: &str, count: impl Fn(&mut Counts) -> &mut usize) -> usize {
        let mut passed = self.lock();
        *count(passed.by_execution.entry(arn.to_owned()).or_default()) += 1;
        let total = count(&mut passed.total);
        *total += 1;
        *total
    }

    /// Passes a boundary, or never returns when the process dies here.
    async fn pass(&self, moment: String) {
        let number = {
            let mut passed = self.lock();
            let number = passed.boundaries.len() + 1;
            passed.boundaries.push(Boundary { number, moment });
            number
        };
        if self.fatal.contains(&number) {
            self.died.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Between for Boundaries {
    fn checkpoint<'a>(
        &'a self,
        service: &'a dyn DurableService,
        request: CheckpointRequest,
    ) -> BoxFuture<'a, Result<CheckpointResponse, ServiceError>> {
        Box::pin(async move {
            let number = self.count(&request.durable_execution_arn, |counts| &mut counts.checkpoints);
            let what = describe(&request.updates);
            self.pass(format!("before checkpoint call {number} ({what})")).await;
            let response = service.checkpoint(request).await;
            self.pass(format!("after the commit of checkpoint call {number} ({what}), its answer lost"))
                .await;
            response
        })
    }

    fn invocation(self: Arc<Self>, invocation: Invocation) -> BoxFuture<'static, Invoked> {
        let arn = &invocation.input.durable_execution_arn;
        let number = self.count(arn, |counts| &mut counts.invocations);
        let which = format!("invocation {number} (`{}`)", invocation.function());
        Box::pin(async move {
            self.pass(format!("at the beginning of {which}")).await;
            let output = invocation.run().await;
            self.pass(format!("at the end of {which}, its answer lost")).await;
            output
        })
    }
}

fn describe(updates: &[OperationUpdate]) -> String {
    if updates.is_empty() {
        return "a refresh".to_owned();
    }
    let updates: Vec<_> = updates.iter().map(describe_update).collect();
    updates.join(", ")
}

fn describe_update(update: &OperationUpdate) -> String {
    let action = match update.action {
        OperationAction::Start => "START",
        OperationAction::Succeed => "SUCCEED",
        OperationAction::Fail => "FAIL",
        OperationAction::Retry => "RETRY",
        OperationAction::Cancel => "CANCEL",
    };
    match &update.name {
        Some(name) => format!("{action} {} `{name}`", update.operation_type),
        None => format!("{action} {}", update.operation_type),
    }
}
