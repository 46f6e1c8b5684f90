//! From changed executions to one write, and what follows once that is durable.

use std::sync::Arc;

use durable_runtime::protocol::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Core, Permit, Phase, Progress, Slot, awaited::Reached, progress};
use crate::{
    host::{self, Begun},
    service::{Execution, ExecutionKey},
    store::{Guard, StoreError, Write, WritePart},
};

/// Changes of one or more locked executions, on their way to one write.
pub(crate) struct Batch<'c> {
    core: &'c Arc<Core>,
    pub(crate) now: Timestamp,
    parts: Vec<WritePart>,
    effects: Effects,
    /// A slot to run in that the caller gives up.
    pub(crate) permit: Option<Permit>,
    /// Invocations begin while the write is on its way.
    pub(crate) eager: bool,
}

/// What happens once the write is durable.
#[derive(Default)]
struct Effects {
    begun: Vec<Begun>,
    due: Vec<Timestamp>,
    ended: Vec<ExecutionKey>,
    progress: Vec<Progress>,
    reached: Vec<Reached>,
}

impl<'c> Batch<'c> {
    pub(crate) fn new(core: &'c Arc<Core>) -> Self {
        Self {
            core,
            now: core.clock.now(),
            parts: Vec::with_capacity(1),
            effects: Effects::default(),
            permit: None,
            eager: false,
        }
    }

    /// Adds what changed in an execution, which stays locked until [`Self::submit`]. Begins its invocation if
    /// one is owed and there is room to run it.
    pub(crate) fn add(&mut self, slot: &Arc<Slot>, execution: &mut Execution) {
        self.begin(slot, execution);
        let changes = execution.take_changes();
        if changes.is_empty() {
            return;
        }
        if let Some(record) = &changes.record {
            self.effects.due.extend(record.due_at.filter(|at| at.as_millis() > 0));
            if record.status.is_terminal() {
                self.effects.ended.push(record.key);
            }
        }
        if !changes.events.is_empty() && self.core.watchers.is_watched() {
            progress::describe(execution.record(), &changes.events, &mut self.effects.progress);
        }
        self.core.watchers.operations.collect(&changes, &mut self.effects.reached);
        if execution.is_hosted() {
            slot.rearm(execution.next_due());
        }
        self.parts.push(WritePart { changes, guard: Arc::clone(slot) as Arc<dyn Guard> });
    }

    fn begin(&mut self, slot: &Arc<Slot>, execution: &mut Execution) {
        if !execution.owes_invocation(self.now) || *self.core.phase.borrow() != Phase::Running {
            return;
        }
        let Some((_, workflow)) = self.core.workflow(&execution.record().function) else { return };
        let Some(permit) = self.permit.take().or_else(|| self.core.permit()) else { return };
        let id = Uuid::new_v4();
        let input = execution.begin_invocation(id, self.core.secret(), self.core.page_limit, self.now);
        let record = execution.record();
        self.effects.begun.push(Begun {
            slot: Arc::clone(slot),
            id,
            tenant: record.tenant.clone(),
            trace_header: record.trace_header.clone(),
            input,
            workflow,
            permit,
        });
    }

    /// Queues the write. The executions inside must still be locked, so that writes are queued in the order of
    /// the changes.
    pub(crate) fn submit(self) -> Commit {
        let Self { core, parts, mut effects, permit, eager, .. } = self;
        if parts.is_empty() {
            return Commit::nothing();
        }
        let (sender, receiver) = oneshot::channel();
        let core_after = Arc::clone(core);
        let begun = if eager { std::mem::take(&mut effects.begun) } else { Vec::new() };
        let done = move |result: Result<(), StoreError>| {
            drop(permit);
            match &result {
                Ok(()) => effects.apply(&core_after),
                Err(StoreError::Closed | StoreError::NameTaken) => drop(effects),
                Err(_) => {
                    drop(effects);
                    ring_later(&core_after);
                }
            }
            // Nobody listens when the caller went away; the write counts all the same.
            let _ = sender.send(result);
        };
        let running = core.invocations_running();
        // With one invocation at most, there is nothing to share a transaction with, and waking the writer and being
        // woken by it would take longer than anything but the disk itself.
        let by_waiter = running <= 1 && core.may_block;
        core.store.write(Write { running, by_waiter, parts, done: Box::new(done) });
        for begun in begun {
            core.runtime.spawn(host::run(Arc::clone(core), begun));
        }
        Commit { receiver: Some(receiver), by_waiter: by_waiter.then(|| Arc::clone(core)) }
    }
}

impl Effects {
    fn apply(self, core: &Arc<Core>) {
        for begun in self.begun {
            core.runtime.spawn(host::run(Arc::clone(core), begun));
        }
        for at in self.due {
            core.bell.ring_for(at);
        }
        core.watchers.publish(self.progress);
        for reached in self.reached {
            core.watchers.operations.tell(reached);
        }
        for key in self.ended {
            core.watchers.ended(key);
        }
    }
}

/// A write failed, so what the store has on record as due may not be in anybody's hands any more.
fn ring_later(core: &Arc<Core>) {
    let bell = Arc::clone(&core.bell);
    core.runtime.spawn(async move {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        bell.ring();
    });
}

/// A write on its way.
#[must_use = "nothing may be told before the commit"]
pub(crate) struct Commit {
    receiver: Option<oneshot::Receiver<Result<(), StoreError>>>,
    /// The write's commit is ours to begin.
    by_waiter: Option<Arc<Core>>,
}

impl Commit {
    pub(crate) const fn nothing() -> Self {
        Self { receiver: None, by_waiter: None }
    }

    /// For who has something else to do before it waits.
    pub(crate) fn begun(mut self) -> Self {
        self.leave();
        self
    }

    /// Leaves the write's commit to the store.
    fn leave(&mut self) {
        if let Some(core) = self.by_waiter.take() {
            core.store.commit_soon();
        }
    }

    /// Ready after the commit. False when there was nothing to write.
    pub(crate) async fn wait(mut self) -> Result<bool, StoreError> {
        if let Some(core) = self.by_waiter.take() {
            core.store.commit_here();
        }
        match self.receiver.take() {
            Some(receiver) => receiver.await.unwrap_or(Err(StoreError::Closed)).map(|()| true),
            None => Ok(false),
        }
    }
}

impl Drop for Commit {
    /// The write counts, whether or not anybody waits for it.
    fn drop(&mut self) {
        self.leave();
    }
}
