//! What workflows and steps did, in order: the outside world of a test as a list.

use std::cell::RefCell;

use durable_runtime::{current_step, protocol::OperationId};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What.
    pub label: String,
    /// In which step; `None` outside of any.
    pub step: Option<OperationId>,
}

thread_local! {
    // A virtual-time runtime has one thread, so each test has a list of its own.
    static ENTRIES: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

/// Notes that something happened, and in which step.
pub fn note(label: impl Into<String>) {
    let entry = Entry { label: label.into(), step: current_step().map(|step| step.operation_id) };
    ENTRIES.with_borrow_mut(|entries| entries.push(entry));
}

/// Everything since the last call.
#[must_use]
pub fn take_entries() -> Vec<Entry> {
    ENTRIES.take()
}

/// The labels of everything since the last call.
#[must_use]
pub fn take() -> Vec<String> {
    take_entries().into_iter().map(|entry| entry.label).collect()
}

/// How often something happened so far.
#[must_use]
pub fn count(label: &str) -> usize {
    ENTRIES.with_borrow(|entries| entries.iter().filter(|entry| entry.label == label).count())
}

/// How many entries there are.
#[must_use]
pub fn len() -> usize {
    ENTRIES.with_borrow(Vec::len)
}
