//! The test kit: what it promises to those who test their own workflows.

mod assertions;
mod crashes;
mod explore;
mod faults;
mod replay;
mod script;
