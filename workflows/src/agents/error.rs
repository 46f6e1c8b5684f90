//! Why the agents can't start. What goes wrong with one task is an `AgentFailure`, and travels by callback.

use std::io;
use std::path::PathBuf;

/// Why the agents can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentsError {
    /// The corpus is not there.
    #[error("the corpus {} does not exist; give a directory of documents", path.display())]
    CorpusMissing {
        /// The directory that was given.
        path: PathBuf,
    },
    /// The corpus is a file.
    #[error("the corpus {} is not a directory; give the directory that holds the documents", path.display())]
    CorpusNotADirectory {
        /// What was given.
        path: PathBuf,
    },
    /// The corpus can't be listed.
    #[error("the corpus {} can't be read: {source}", path.display())]
    CorpusUnreadable {
        /// The directory that was given.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Neither `CARGO_HOME` nor a home directory is known.
    #[error(
        "no corpus was given, and neither CARGO_HOME nor a home directory is known; give a directory of documents"
    )]
    NoHome,
    /// No crate was ever downloaded here.
    #[error(
        "no corpus was given, and the Cargo registry has no sources at {}; run `cargo fetch` in any project, \
         or give a directory of documents",
        path.display()
    )]
    NoCargoRegistry {
        /// Where they would be.
        path: PathBuf,
    },
    /// The data directory can't be used.
    #[error("the agents' data directory {} can't be used: {source}", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process works there.
    #[error("the agents' data directory {} is in use by another process; stop it, or give another directory", path.display())]
    DataDirInUse {
        /// The directory.
        path: PathBuf,
    },
    /// A configured URL can't be called.
    #[error("the {what} can't be used: {reason}")]
    InvalidUrl {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No loopback port could be opened.
    #[error("no loopback port for the {role}: {source}")]
    Listen {
        /// Whose port.
        role: &'static str,
        /// What the system says.
        source: io::Error,
    },
}
