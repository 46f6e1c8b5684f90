//! The test kit: what it promises to those who test their own workflows.

mod assertions;
mod crashes;
mod script;
