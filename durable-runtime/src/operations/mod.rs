//! The operations that durable code awaits, one kind a file.

pub(crate) mod attempt;
pub(crate) mod callback;
pub(crate) mod child;
pub(crate) mod condition;
pub(crate) mod derived;
pub(crate) mod group;
pub(crate) mod invoke;
pub(crate) mod map;
pub(crate) mod parallel;
pub(crate) mod saga;
pub(crate) mod settle;
pub(crate) mod step;
mod step_machine;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod with_retry;
