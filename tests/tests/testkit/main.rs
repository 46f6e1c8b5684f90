//! The test kit: what it promises to those who test their own workflows.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod assertions;
mod crashes;
mod explore;
mod faults;
mod replay;
mod script;
