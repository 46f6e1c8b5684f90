//! Groups of concurrent branches: the machinery behind `map`, `parallel`, `join!`, `race!` and their kin.
//!
//! A group is one CONTEXT, each of its branches another one inside it (none in flat groups). Branches are
//! polled in place, in index order, each with its own namespace and its own barrier, so that one waits for
//! another only when the code says so. When the completion rule is satisfied the rest is dropped, which
//! cancels it silently.

use std::{future::Future, pin::Pin, sync::Arc, task::Context, task::Poll};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{
    codec::Outcome,
    core::{Fatal, identity::Namespace},
    operations::{
        child::{ContextState, open_context},
        settle::{check_error, settle_context},
    },
    plugin::AttemptInfo,
    protocol::{ErrorObject, OperationId, OperationType, Payload},
    scope::{Cx, Identity, Run},
    serdes::{SerdesError, about},
    task::{ReadySet, Task},
};

/// When a group is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Completion {
    pub(crate) min_successful: Option<usize>,
    pub(crate) tolerated_failures: Option<usize>,
    pub(crate) tolerated_failure_percentage: Option<f64>,
    /// The first branch that ends, however it ends, decides.
    pub(crate) first_settled: bool,
}

impl Completion {
    /// Every branch runs to its end.
    pub(crate) const ALL: Self = Self {
        min_successful: None,
        tolerated_failures: None,
        tolerated_failure_percentage: Some(100.0),
        first_settled: false,
    };

    fn tolerance_exceeded(&self, total: usize, failed: usize) -> bool {
        match (self.tolerated_failures, self.tolerated_failure_percentage) {
            // No criterion at all means fail-fast; a minimum of successes alone tolerates every failure.
            (None, None) => failed > 0 && self.min_successful.is_none() && !self.first_settled,
            (count, percentage) => {
                count.is_some_and(|count| failed > count)
                    || percentage.is_some_and(|limit| failed as f64 / total as f64 * 100.0 > limit)
            }
        }
    }

    /// Why the group is complete, if it is.
    fn decide(&self, total: usize, succeeded: usize, failed: usize) -> Option<CompletionReason> {
        let first = self.first_settled && succeeded + failed > 0;
        if self.tolerance_exceeded(total, failed) {
            Some(CompletionReason::FailureToleranceExceeded)
        } else if succeeded + failed == total {
            Some(CompletionReason::AllCompleted)
        } else if first || self.min_successful.is_some_and(|min| succeeded >= min) {
            Some(CompletionReason::MinSuccessfulReached)
        } else {
            None
        }
    }
}

/// Why a map or a parallel group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CompletionReason {
    /// Every item ended.
    AllCompleted,
    /// Enough items succeeded; the rest was cancelled.
    MinSuccessfulReached,
    /// Too many items failed; the rest was cancelled.
    FailureToleranceExceeded,
}

/// Where an item stood when its group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ItemStatus {
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It was running, and was cancelled.
    Started,
}

/// What a group is made of.
pub(crate) struct Plan {
    pub(crate) branches: usize,
    pub(crate) branch_sub_type: &'static str,
    pub(crate) max_concurrency: Option<usize>,
    pub(crate) completion: Completion,
    /// Branches have no contexts of their own.
    pub(crate) flat: bool,
    /// What tells branches apart, when it is not their index.
    pub(crate) keys: Option<Vec<String>>,
    pub(crate) names: Vec<Option<CompactString>>,
}

impl Plan {
    /// What is wrong with it, found before anything is recorded.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.max_concurrency == Some(0) {
            return Err("`max_concurrency` is 0, so nothing could ever run; use 1 or more".to_owned());
        }
        if let Some(min) = self.completion.min_successful
            && (min == 0 || min > self.branches)
        {
            return Err(format!("`min_successful` is {min} of {} items; use 1 to {0}", self.branches));
        }
        if let Some(keys) = &self.keys {
            let mut seen = std::collections::BTreeSet::new();
            if let Some(twice) = keys.iter().find(|key| !seen.insert(key.as_str())) {
                return Err(format!(
                    "`key_by` gives the key `{twice}` twice; keys tell items apart on replay"
                ));
            }
        }
        Ok(())
    }

    fn name(&self, index: usize) -> Option<CompactString> {
        self.names.get(index).cloned().flatten()
    }

    /// The identity of branch `index` in the group of this namespace.
    pub(crate) fn branch_id(&self, namespace: &Namespace, index: usize) -> OperationId {
        match self.keys.as_ref().and_then(|keys| keys.get(index)) {
            Some(key) => namespace.keyed(self.branch_sub_type, key),
            None => namespace.keyed(self.branch_sub_type, &index.to_string()),
        }
    }
}

/// Where the items stood when the group ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupResult {
    pub(crate) items: Vec<ItemEnd>,
    pub(crate) reason: CompletionReason,
}

/// Where one item stood when the group ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemEnd {
    Ended(Outcome),
    Started,
    NotStarted,
}

/// What a group gives: its record when that holds everything, or its items when they are too large for it.
pub(crate) enum GroupEnd {
    Recorded(Option<Payload>),
    Items(GroupResult),
}

/// The record of a group whose result is rebuilt from its branches: how each of them ended.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LargeSummary {
    total_count: usize,
    success_count: usize,
    failure_count: usize,
    completion_reason: CompletionReason,
    /// `S`, `F` or `-` for each item.
    item_statuses: String,
}

/// Runs a group to its end. `begin` starts branch `index` in its context; `encode` makes the group's record.
pub(crate) async fn run_group<'a, F, Fut>(
    cx: &Cx,
    identity: &Identity,
    plan: &Plan,
    begin: F,
    encode: impl FnOnce(&GroupResult) -> Result<String, SerdesError>,
) -> GroupEnd
where
    F: FnMut(usize, OperationId, Cx) -> Fut,
    Fut: Future<Output = Result<Outcome, SerdesError>> + Send + 'a,
{
    let state = open_context(cx, identity);
    let summary = match &state {
        ContextState::Ended(Outcome::Succeeded(payload)) => return GroupEnd::Recorded(payload.clone()),
        ContextState::Ended(Outcome::Failed(error)) => cx.fail(error.clone()).await,
        ContextState::Rebuild(summary) => {
            let text = summary.as_ref().map_or("", Payload::as_str);
            match serde_json::from_str::<LargeSummary>(text) {
                Ok(summary) => Some(summary),
                Err(error) => {
                    let message = format!("the summary of {} can't be read: {error}", identity.describe());
                    cx.fail(ErrorObject::new("ChildContextError", message)).await
                }
            }
        }
        ContextState::Open => None,
    };
    let inner = cx.child(&identity.id);
    let mut group = Group::new(cx, identity, inner.clone(), plan, begin);
    if let Some(summary) = summary {
        group.rebuild(&summary.item_statuses);
        let ends = group.run(Decision::When(CompletionReason::AllCompleted)).await;
        return GroupEnd::Items(GroupResult { reason: summary.completion_reason, ..ends });
    }
    let result = group.run(Decision::ByPlan).await;
    let text = match about(&identity.id, || encode(&result)) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("the record of {} can't be written: {error}", identity.describe());
            cx.fail(ErrorObject::new("ChildContextError", message)).await
        }
    };
    let payload = Payload::from(text);
    let outcome = Outcome::Succeeded(Some(payload.clone()));
    // What a replay has to run again has a summary for a record, however small it is.
    let keep = inner.has_compensations();
    let outcome = if keep { Outcome::Succeeded(Some(large_summary(&result))) } else { outcome };
    let mut large = keep;
    settle_context(cx, identity, &outcome, keep, || {
        large = true;
        large_summary(&result)
    });
    if large { GroupEnd::Items(result) } else { GroupEnd::Recorded(Some(payload)) }
}

fn large_summary(result: &GroupResult) -> Payload {
    let status = |item: &ItemEnd| match item {
        ItemEnd::Ended(Outcome::Succeeded(_)) => 'S',
        ItemEnd::Ended(Outcome::Failed(_)) => 'F',
        ItemEnd::Started | ItemEnd::NotStarted => '-',
    };
    let item_statuses: String = result.items.iter().map(status).collect();
    let count = |wanted| item_statuses.chars().filter(|status| *status == wanted).count();
    let summary = LargeSummary {
        total_count: result.items.iter().filter(|item| **item != ItemEnd::NotStarted).count(),
        success_count: count('S'),
        failure_count: count('F'),
        completion_reason: result.reason,
        item_statuses,
    };
    Payload::from(serde_json::to_string(&summary).expect("numbers and ASCII text are always JSON"))
}

/// When a run of branches is over.
#[derive(Clone, Copy)]
enum Decision {
    ByPlan,
    /// When every branch that takes part has ended, for this reason.
    When(CompletionReason),
}

struct Group<'g, 'a, F> {
    cx: &'g Cx,
    identity: &'g Identity,
    inner: Cx,
    plan: &'g Plan,
    begin: F,
    ready: Arc<ReadySet>,
    slots: Vec<Slot<'a>>,
    /// The branches that did not succeed, by their index. What they did stays in their ledgers, where whoever
    /// cancels the group finds it, until the group itself undoes it.
    abandoned: Vec<(usize, Cx)>,
    running: usize,
    succeeded: usize,
    failed: usize,
    /// Everything before this index was started, or takes no part.
    next: usize,
}

enum Slot<'a> {
    Waiting,
    /// It was cancelled, now or before a rebuild.
    Cancelled,
    Running(Box<RunningBranch<'a>>),
    Ended(Outcome),
}

/// A branch, with what follows its failure.
type BranchFuture<'a> = Pin<Box<dyn Future<Output = Result<Outcome, SerdesError>> + Send + 'a>>;

struct RunningBranch<'a> {
    cx: Cx,
    /// Its own record; a branch of a flat group has none.
    identity: Option<Identity>,
    record_end: bool,
    future: BranchFuture<'a>,
    task: Arc<Task>,
    /// What plugins were told of its body.
    attempt: Option<AttemptInfo>,
    _registered: Registered,
}

/// Keeps the branch's task known to the core, which looks for foreign wakers.
struct Registered {
    run: Arc<Run>,
    ticket: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.run.core().unregister_task(self.ticket);
    }
}

// Futures are boxed; nothing else is ever pinned.
impl<F> Unpin for Group<'_, '_, F> {}

impl<'g, 'a, F, Fut> Group<'g, 'a, F>
where
    F: FnMut(usize, OperationId, Cx) -> Fut,
    Fut: Future<Output = Result<Outcome, SerdesError>> + Send + 'a,
{
    fn new(cx: &'g Cx, identity: &'g Identity, inner: Cx, plan: &'g Plan, begin: F) -> Self {
        if plan.flat {
            cx.run().core().history.mark_flat(identity.id.clone());
        }
        Self {
            cx,
            identity,
            inner,
            plan,
            begin,
            ready: ReadySet::new(Arc::clone(cx.task())),
            slots: (0..plan.branches).map(|_| Slot::Waiting).collect(),
            abandoned: Vec::new(),
            running: 0,
            succeeded: 0,
            failed: 0,
            next: 0,
        }
    }

    /// Leaves out the branches that had not ended when the group did.
    fn rebuild(&mut self, statuses: &str) {
        for (slot, status) in self.slots.iter_mut().zip(statuses.chars().chain(std::iter::repeat('-'))) {
            if status == '-' {
                *slot = Slot::Cancelled;
            }
        }
    }

    async fn run(mut self, decision: Decision) -> GroupResult {
        self.start_recorded();
        let reason = std::future::poll_fn(|_| self.poll(decision)).await;
        if self.running > 0 {
            std::future::poll_fn(|_| self.cancel()).await;
        }
        self.abandoned.sort_by_key(|(index, _)| *index);
        let abandoned: Vec<_> = self.abandoned.iter().flat_map(|(_, cx)| cx.take_compensations()).collect();
        if !abandoned.is_empty() {
            // What can't be undone has been logged, and is in the history.
            self.inner.undo(abandoned).await;
        }
        let end = |slot: Slot<'_>| match slot {
            Slot::Waiting => ItemEnd::NotStarted,
            Slot::Running(_) | Slot::Cancelled => ItemEnd::Started,
            Slot::Ended(outcome) => ItemEnd::Ended(outcome),
        };
        GroupResult { items: self.slots.into_iter().map(end).collect(), reason }
    }

    /// Cancels the branches that run, by dropping them. One that is undoing something finishes that first.
    fn cancel(&mut self) -> Poll<()> {
        loop {
            for (index, slot) in self.slots.iter_mut().enumerate() {
                let Slot::Running(branch) = slot else { continue };
                if !branch.cx.is_undoing() {
                    self.abandoned.push((index, branch.cx.clone()));
                    *slot = Slot::Cancelled;
                    self.running -= 1;
                }
            }
            if self.running == 0 {
                return Poll::Ready(());
            }
            let ready = self.ready.take();
            if ready.is_empty() {
                return Poll::Pending;
            }
            for index in ready {
                self.poll_branch(index);
            }
        }
    }

    /// Starts the branches that an earlier invocation started, before any decision: a replay has to reach
    /// what they recorded, also when it is decided earlier this time.
    fn start_recorded(&mut self) {
        if self.plan.flat {
            return;
        }
        let namespace = Namespace::of(&self.identity.id);
        let recorded: Vec<usize> = {
            let core = self.cx.run().core();
            (0..self.plan.branches)
                .filter(|index| core.history.contains(&self.plan.branch_id(&namespace, *index)))
                .collect()
        };
        for index in recorded {
            self.start(&namespace, index);
        }
    }

    fn poll(&mut self, decision: Decision) -> Poll<CompletionReason> {
        let namespace = Namespace::of(&self.identity.id);
        loop {
            for index in self.ready.take() {
                self.poll_branch(index);
            }
            if let Some(reason) = self.decide(decision) {
                return Poll::Ready(reason);
            }
            if !self.start_next(&namespace) {
                return Poll::Pending;
            }
        }
    }

    fn decide(&self, decision: Decision) -> Option<CompletionReason> {
        match decision {
            Decision::ByPlan => self.plan.completion.decide(self.plan.branches, self.succeeded, self.failed),
            Decision::When(reason) => {
                let open = |slot: &Slot<'_>| matches!(slot, Slot::Waiting | Slot::Running(_));
                (!self.slots.iter().any(open)).then_some(reason)
            }
        }
    }

    /// Starts the next branch if there is one and a slot for it.
    fn start_next(&mut self, namespace: &Namespace) -> bool {
        if self.plan.max_concurrency.is_some_and(|max| self.running >= max) {
            return false;
        }
        while let Some(slot) = self.slots.get(self.next) {
            let index = self.next;
            self.next += 1;
            if matches!(slot, Slot::Waiting) {
                self.start(namespace, index);
                return true;
            }
        }
        false
    }

    fn start(&mut self, namespace: &Namespace, index: usize) {
        if !matches!(self.slots.get(index), Some(Slot::Waiting)) {
            return;
        }
        let id = self.plan.branch_id(namespace, index);
        let (identity, record_end, parent, attempt) = if self.plan.flat {
            (None, false, self.identity.id.clone(), None)
        } else {
            let name = self.plan.name(index);
            let sub_type = self.plan.branch_sub_type;
            let identity = self.inner.claim_id(id.clone(), OperationType::Context, sub_type, name);
            let begun = self.inner.recorded(&id, |operation| operation.is_some());
            let record_end = match open_context(&self.inner, &identity) {
                ContextState::Ended(outcome) => return self.end(index, outcome),
                ContextState::Rebuild(_) => false,
                ContextState::Open => true,
            };
            let attempt = self.inner.announce_attempt(&identity, None, begun);
            (Some(identity), record_end, id.clone(), attempt)
        };
        let task = Task::branch(Arc::clone(&self.ready), index);
        let run = Arc::clone(self.cx.run());
        let ticket = run.core().register_task(&task);
        let cx = self.inner.concurrent(Arc::clone(&task), index, &id, parent);
        let performing = (self.begin)(index, id, cx.clone());
        // A branch without a record of its own is undone by the group.
        let undoing = identity.is_some().then(|| cx.clone());
        let future: BranchFuture<'a> = Box::pin(async move {
            let mut ended = performing.await;
            if let (Some(cx), Ok(Outcome::Failed(error))) = (undoing, &mut ended) {
                cx.roll_back(error).await;
            }
            ended
        });
        let registered = Registered { run, ticket };
        let branch =
            RunningBranch { cx, identity, record_end, future, task, attempt, _registered: registered };
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Slot::Running(Box::new(branch));
        }
        self.running += 1;
        self.poll_branch(index);
    }

    fn poll_branch(&mut self, index: usize) {
        let Some(Slot::Running(branch)) = self.slots.get_mut(index) else { return };
        branch.task.take_wake();
        let waker = branch.task.waker();
        let Poll::Ready(ended) = branch.future.as_mut().poll(&mut Context::from_waker(&waker)) else {
            return;
        };
        match ended {
            Ok(outcome) => {
                branch.cx.announce_attempt_end(branch.attempt.take(), &outcome);
                if let (Some(identity), true) = (&branch.identity, branch.record_end) {
                    if let Err(error) = check_error(identity, &outcome) {
                        return self.cx.run().fail(Fatal::Fail(error));
                    }
                    let keep = branch.cx.has_compensations();
                    settle_context(&branch.cx, identity, &outcome, keep, || Payload::from(""));
                }
                if let Outcome::Failed(_) = outcome {
                    self.abandoned.push((index, branch.cx.clone()));
                }
                self.running -= 1;
                self.end(index, outcome);
            }
            Err(error) => {
                let message = format!(
                    "the record of branch {index} of {} can't be written: {error}",
                    self.identity.describe()
                );
                self.cx.run().fail(Fatal::Fail(ErrorObject::new("ChildContextError", message)));
            }
        }
    }

    fn end(&mut self, index: usize, outcome: Outcome) {
        match outcome {
            Outcome::Succeeded(_) => self.succeeded += 1,
            Outcome::Failed(_) => self.failed += 1,
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Slot::Ended(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_completion_table() {
        use CompletionReason::{AllCompleted, FailureToleranceExceeded, MinSuccessfulReached};
        let none = Completion::default();
        let min2 = Completion { min_successful: Some(2), ..none };
        let one = Completion { tolerated_failures: Some(1), ..none };
        let quarter = Completion { tolerated_failure_percentage: Some(25.0), ..none };
        let first = Completion { first_settled: true, ..none };
        for (completion, succeeded, failed, expected) in [
            (none, 3, 0, None),
            (none, 4, 0, Some(AllCompleted)),
            (none, 1, 1, Some(FailureToleranceExceeded)),
            (min2, 1, 2, None),
            (min2, 2, 0, Some(MinSuccessfulReached)),
            (min2, 2, 2, Some(AllCompleted)),
            (min2, 1, 3, Some(AllCompleted)),
            (one, 0, 1, None),
            (one, 0, 2, Some(FailureToleranceExceeded)),
            (one, 3, 1, Some(AllCompleted)),
            (quarter, 0, 1, None),
            (quarter, 0, 2, Some(FailureToleranceExceeded)),
            (Completion::ALL, 0, 4, Some(AllCompleted)),
            (first, 0, 0, None),
            (first, 0, 1, Some(MinSuccessfulReached)),
        ] {
            assert_eq!(
                completion.decide(4, succeeded, failed),
                expected,
                "{completion:?} {succeeded}/{failed}"
            );
        }
        assert_eq!(none.decide(0, 0, 0), Some(AllCompleted));
    }
}
