//! The commands, one file each.

pub(crate) mod callback;
pub(crate) mod delete;
pub(crate) mod dev;
mod error;
mod follow;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod logs;
mod output;
pub(crate) mod pause;
pub(crate) mod show;
pub(crate) mod start;
pub(crate) mod stop;
mod timeline;

pub(crate) use error::CommandError;
