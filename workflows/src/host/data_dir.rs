//! The directory that holds everything a process needs to go on where another one ended.

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Why a data directory can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It could not be made, read or written.
    #[error("the data directory {} can't be used: {source}; choose another one with --data", path.display())]
    Unusable {
        /// Which one.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// It isn't there, and the command makes none.
    #[error("there is no data directory {}; name the right one with --data", .0.display())]
    Missing(PathBuf),
    /// Another process uses it.
    #[error("the data directory {} is in use by another process; end it, or choose another one with --data", .0.display())]
    InUse(PathBuf),
}

/// A data directory that belongs to this process until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    /// The lock is released by the operating system, however the process ends.
    _lock: File,
}

/// Where the server of a data directory listens, kept so that links and callback URLs survive a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerAddress {
    /// The port on the loopback interface.
    pub port: u16,
    /// Names the process, so that another one that got the same port later is not taken for it.
    pub instance: String,
}

impl ServerAddress {
    /// The URL of the server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl DataDir {
    /// Takes the directory at `root`, making it when needed.
    ///
    /// # Errors
    ///
    /// It is in use, or can't be used.
    pub fn create(root: &Path) -> Result<Self, DataDirError> {
        std::fs::create_dir_all(root)
            .map_err(|source| DataDirError::Unusable { path: root.to_owned(), source })?;
        Self::open(root)
    }

    /// Takes the directory at `root`, which has to exist.
    ///
    /// # Errors
    ///
    /// It is missing, in use, or can't be used.
    pub fn open(root: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable { path: root.to_owned(), source };
        if !root.exists() {
            return Err(DataDirError::Missing(root.to_owned()));
        }
        // Links and reports are printed: they should work from any directory.
        let root = root.canonicalize().map_err(unusable)?;
        let path = root.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(path).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(root)),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The engine's database.
    #[must_use]
    pub fn engine_db(&self) -> PathBuf {
        self.root.join("engine.db")
    }

    /// The database of workflow records.
    #[must_use]
    pub fn records_db(&self) -> PathBuf {
        self.root.join("records.db")
    }

    /// Large payloads and reports.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Callbacks that could not be stored.
    #[must_use]
    pub fn dead_letters(&self) -> PathBuf {
        self.root.join("dead-letters")
    }

    /// What the embedded agents keep.
    #[must_use]
    pub fn agents(&self) -> PathBuf {
        self.root.join("agents")
    }

    /// The key that signs links.
    #[must_use]
    pub fn signing_key(&self) -> PathBuf {
        self.root.join("signing.key")
    }

    /// Where the log goes that does not belong on the terminal.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log.jsonl")
    }

    /// Where the command line keeps which agents were chosen.
    #[must_use]
    pub fn agent_options(&self) -> PathBuf {
        agent_options_in(&self.root)
    }

    /// Where the server of this directory listened last.
    #[must_use]
    pub fn last_address(&self) -> Option<ServerAddress> {
        address_in(&self.root)
    }

    /// Remembers where the server listens.
    ///
    /// # Errors
    ///
    /// The file can't be written.
    pub fn remember_address(&self, address: &ServerAddress) -> Result<(), DataDirError> {
        let text = serde_json::to_string(address).expect("an address is a number and a name");
        self.replace(self.root.join(ADDRESS_FILE), &text)
    }

    /// Replaces a small file of this directory: a reader sees the old content or the new one.
    ///
    /// # Errors
    ///
    /// The file can't be written.
    pub fn replace(&self, path: PathBuf, text: &str) -> Result<(), DataDirError> {
        let partial = path.with_extension("partial");
        std::fs::write(&partial, text)
            .and_then(|()| std::fs::rename(&partial, &path))
            .map_err(|source| DataDirError::Unusable { path, source })
    }
}

const ADDRESS_FILE: &str = "server.json";

/// Where the server of the data directory at `root` listens, if it ever had one.
#[must_use]
pub fn address_in(root: &Path) -> Option<ServerAddress> {
    serde_json::from_slice(&std::fs::read(root.join(ADDRESS_FILE)).ok()?).ok()
}

/// Where the command line keeps which agents were chosen for the data directory at `root`.
#[must_use]
pub fn agent_options_in(root: &Path) -> PathBuf {
    root.join("agents.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_belongs_to_one_process_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let root = parent.path().join("data");
        assert!(matches!(DataDir::open(&root), Err(DataDirError::Missing(_))));
        let first = DataDir::create(&root).unwrap();
        assert!(matches!(DataDir::open(&root), Err(DataDirError::InUse(_))));
        let address = ServerAddress { port: 4000, instance: "one".to_owned() };
        first.remember_address(&address).unwrap();
        assert_eq!(address_in(&root), Some(address));
        drop(first);
        assert_eq!(DataDir::open(&root).unwrap().last_address().unwrap().url(), "http://127.0.0.1:4000");
    }

    #[test]
    fn a_file_is_no_data_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(DataDir::create(file.path()), Err(DataDirError::Unusable { .. })));
    }
}
