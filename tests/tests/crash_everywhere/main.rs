//! The process dies at every boundary of a run, for workflows that together use every operation: each run gives
//! the result of the run without a crash, and no finished step has its effect again.

mod groups;
mod outside;
mod sequences;
mod sizes;
