//! Each kind of operation: what it does, how it fails, and that a replay sees the same.

mod callback;
mod child;
mod condition;
mod groups;
mod invoke;
mod map;
mod shapes;
mod step;
mod step_retry;
mod wait;
