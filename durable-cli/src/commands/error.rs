//! Why a command did not work.

use std::io;

use crate::{client::ClientError, config::ConfigError, server::StartError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Usage(String),
    #[error("{what}: {source}")]
    File { what: String, source: io::Error },
    #[error("can't write the output: {0}")]
    Output(#[from] io::Error),
}

impl CommandError {
    /// True when whoever read our output has gone, as `head` does: no error of ours.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
