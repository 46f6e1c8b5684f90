//! The machine behind one invocation: facts come in, updates go out. No I/O, no clock, no async.
//!
//! It answers three questions: what did the history record for this operation, which updates must be made
//! durable, and what is left to wait for.

pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod mismatch;
pub(crate) mod outbox;

use std::sync::{Arc, Weak};

use rustc_hash::FxHashMap;

use self::{
    history::History,
    outbox::{Outbox, Sequence},
};
use crate::{
    protocol::{ErrorObject, Operation, OperationId, OperationStatus, OperationType, Timestamp},
    task::Task,
};

/// Something that ends the invocation and that no user code may catch.
#[derive(Clone, Debug)]
pub(crate) enum Fatal {
    /// Fails the execution, after what is queued was made durable.
    Fail(ErrorObject),
    /// Code and history no longer match: nothing more is written.
    Diverged(ErrorObject),
}

/// One task that waits for a change of one operation.
struct Waiter {
    ticket: u64,
    task: Arc<Task>,
}

#[derive(Default)]
pub(crate) struct Core {
    pub(crate) history: History,
    pub(crate) outbox: Outbox,
    /// The one slot that beats every other outcome; the first fatal condition wins.
    fatal: Option<Fatal>,
    /// Step bodies that have begun and not ended.
    pub(crate) steps_running: usize,
    /// Whether the history was found to match, so that effects may begin.
    effects_allowed: bool,
    waiting_for_permission: Vec<Arc<Task>>,
    waiting_for_change: FxHashMap<OperationId, Vec<Waiter>>,
    waiting_for_durability: Vec<(Sequence, Arc<Task>)>,
    tasks: FxHashMap<u64, Weak<Task>>,
    last_ticket: u64,
}

impl Core {
    /// A machine that knows `operations`. A first invocation has nothing to mismatch.
    pub(crate) fn new(operations: Vec<Operation>) -> Self {
        let history = History::load(operations);
        Self { effects_allowed: history.is_empty(), history, ..Self::default() }
    }

    pub(crate) fn fail(&mut self, fatal: Fatal) {
        self.fatal.get_or_insert(fatal);
    }

    pub(crate) fn fatal(&self) -> Option<&Fatal> {
        self.fatal.as_ref()
    }

    pub(crate) fn effects_allowed(&self) -> bool {
        self.effects_allowed
    }

    pub(crate) fn allow_effects(&mut self) {
        self.effects_allowed = true;
        for task in self.waiting_for_permission.drain(..) {
            task.wake();
        }
    }

    pub(crate) fn wait_for_permission(&mut self, task: Arc<Task>) {
        self.waiting_for_permission.push(task);
    }

    pub(crate) fn wait_for_durability(&mut self, sequence: Sequence, task: Arc<Task>) {
        self.waiting_for_durability.push((sequence, task));
    }

    pub(crate) fn wait_for_change(&mut self, id: OperationId, task: Arc<Task>) -> u64 {
        let ticket = self.ticket();
        self.waiting_for_change.entry(id).or_default().push(Waiter { ticket, task });
        ticket
    }

    pub(crate) fn stop_waiting(&mut self, id: &OperationId, ticket: u64) {
        if let Some(waiters) = self.waiting_for_change.get_mut(id) {
            waiters.retain(|waiter| waiter.ticket != ticket);
            if waiters.is_empty() {
                self.waiting_for_change.remove(id);
            }
        }
    }

    pub(crate) fn register_task(&mut self, task: &Arc<Task>) -> u64 {
        let ticket = self.ticket();
        self.tasks.insert(ticket, Arc::downgrade(task));
        ticket
    }

    pub(crate) fn unregister_task(&mut self, ticket: u64) {
        self.tasks.remove(&ticket);
    }

    /// True when a live task waits for a future that is none of ours. Only meaningful at rest.
    pub(crate) fn awaits_something_unrecorded(&self) -> bool {
        self.tasks.values().filter_map(Weak::upgrade).any(|task| task.has_foreign_waker())
    }

    /// Takes the operations of a checkpoint's answer and wakes who waits for them.
    pub(crate) fn absorb(&mut self, operations: Vec<Operation>) {
        for operation in operations {
            if operation.operation_type == OperationType::Execution {
                continue;
            }
            for waiter in self.waiting_for_change.get(&operation.id).into_iter().flatten() {
                waiter.task.wake();
            }
            self.history.absorb(operation);
        }
    }

    /// Everything sent so far is durable: wakes the effects that waited for it.
    pub(crate) fn acknowledge(&mut self) {
        self.outbox.acknowledge();
        let outbox = &self.outbox;
        self.waiting_for_durability.retain(|(sequence, task)| {
            let waits = !outbox.is_durable(*sequence);
            if !waits {
                task.wake();
            }
            waits
        });
    }

    /// What live code waits for at the service.
    pub(crate) fn remote_work(&self) -> RemoteWork {
        let mut work = RemoteWork::default();
        for id in self.waiting_for_change.keys() {
            let Some(operation) = self.history.get(id) else { continue };
            match (operation.operation_type, operation.status) {
                (OperationType::Wait, OperationStatus::Started) => {
                    let due = operation.wait_details.as_ref().and_then(|wait| wait.scheduled_end_timestamp);
                    work.timed(due);
                }
                (OperationType::Step, OperationStatus::Pending) => {
                    work.timed(operation.step_details.as_ref().and_then(|step| step.next_attempt_timestamp));
                }
                (OperationType::Callback | OperationType::ChainedInvoke, status) if !status.is_terminal() => {
                    work.untimed = true;
                }
                _ => {}
            }
        }
        work
    }

    fn ticket(&mut self) -> u64 {
        self.last_ticket += 1;
        self.last_ticket
    }
}

/// What is left to wait for when nothing local is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemoteWork {
    /// The earliest wait or retry.
    pub(crate) due: Option<Timestamp>,
    /// A callback or an invoke, which may end at any time.
    pub(crate) untimed: bool,
}

impl RemoteWork {
    pub(crate) fn is_none(self) -> bool {
        self.due.is_none() && !self.untimed
    }

    fn timed(&mut self, due: Option<Timestamp>) {
        match due {
            Some(due) => self.due = Some(self.due.map_or(due, |earliest| earliest.min(due))),
            // A service that doesn't say when is one that has to be asked.
            None => self.untimed = true,
        }
    }
}
