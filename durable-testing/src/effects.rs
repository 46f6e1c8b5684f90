//! The outside world as a list: what steps did, and in which step.

use std::cell::RefCell;

use durable_runtime::{current_step, protocol::OperationId};

/// Something that happened in the outside world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What.
    pub label: String,
    /// The step that did it; `None` for an effect outside of any step.
    pub step: Option<OperationId>,
}

thread_local! {
    // A virtual-time runtime has one thread, so each test has its own list.
    static EFFECTS: RefCell<Vec<Effect>> = const { RefCell::new(Vec::new()) };
}

/// Records that the current step did something to the outside world.
///
/// Steps of a workflow under test call it, usually through a fake of whatever they would really use.
/// [`CrashEverywhere`](crate::CrashEverywhere) then checks that no finished step did it again.
pub fn effect(label: impl Into<String>) {
    let effect = Effect { label: label.into(), step: current_step().map(|step| step.operation_id) };
    EFFECTS.with_borrow_mut(|effects| effects.push(effect));
}

/// The effects on this thread so far, without taking them.
#[must_use]
pub fn effects() -> Vec<Effect> {
    EFFECTS.with_borrow(Clone::clone)
}

/// The effects on this thread since the last call.
#[must_use]
pub fn take_effects() -> Vec<Effect> {
    EFFECTS.take()
}

/// How many effects there are now.
pub(crate) fn effect_count() -> usize {
    EFFECTS.with_borrow(Vec::len)
}
