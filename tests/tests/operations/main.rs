//! Each kind of operation: what it does, how it fails, and that a replay sees the same.

mod step;
mod step_retry;
mod wait;
