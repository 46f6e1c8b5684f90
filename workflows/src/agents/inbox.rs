//! The tasks an agent has accepted and not yet answered, one file each.
//!
//! Promise: when [`Inbox::save`] returns, a power loss doesn't take the task back; a reader sees the old
//! file or the new one, never a part. The files hold callback tokens, so only their owner may read them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::outcome::Outcome;
use crate::a2a::Task;

const EXTENSION: &str = "json";

/// Names a task by its callback token without giving the token away.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct TaskKey(String);

impl TaskKey {
    pub(super) fn of(task: &Task) -> Self {
        Self(hex(&Sha256::digest(task.callback_token.as_bytes())))
    }
}

/// A task as it is kept: with its outcome, once there is one, so that a repeated delivery says the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredTask {
    pub(super) task: Task,
    pub(super) outcome: Option<Outcome>,
}

/// The directory of accepted tasks of one agent.
#[derive(Debug, Clone)]
pub(super) struct Inbox {
    directory: PathBuf,
}

impl Inbox {
    pub(super) fn open(directory: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        if let Some(parent) = directory.parent() {
            sync_directory(parent)?;
        }
        Ok(Self { directory })
    }

    /// Stores `stored`, replacing what was kept under its key.
    pub(super) fn save(&self, key: &TaskKey, stored: &StoredTask) -> io::Result<()> {
        let target = self.path(key);
        let temporary = target.with_extension("tmp");
        let mut file = create_private(&temporary)?;
        file.write_all(&serde_json::to_vec(stored)?)?;
        file.sync_all()?;
        fs::rename(&temporary, &target)?;
        sync_directory(&self.directory)
    }

    /// Forgets a task. Not synced: a task that reappears after a power loss is delivered again, which
    /// callbacks allow.
    pub(super) fn remove(&self, key: &TaskKey) -> io::Result<()> {
        fs::remove_file(self.path(key))
    }

    /// All tasks left by an earlier process, oldest first. A file that can't be read is set aside under
    /// another name, with a warning, rather than block the others.
    pub(super) fn load(&self) -> io::Result<Vec<(TaskKey, StoredTask)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = entry.path();
            match path.extension().and_then(|it| it.to_str()) {
                Some(EXTENSION) => {}
                Some("tmp") => {
                    // Never renamed, so never acknowledged.
                    fs::remove_file(&path)?;
                    continue;
                }
                _ => continue,
            }
            match serde_json::from_slice::<StoredTask>(&fs::read(&path)?) {
                Ok(stored) => found.push((entry.metadata()?.modified()?, TaskKey::of(&stored.task), stored)),
                Err(error) => {
                    tracing::warn!(file = ?path.file_name(), %error, "a stored task is unreadable; set aside");
                    fs::rename(&path, path.with_extension("unreadable"))?;
                }
            }
        }
        found.sort_by_key(|(modified, ..)| *modified);
        Ok(found.into_iter().map(|(_, key, stored)| (key, stored)).collect())
    }

    fn path(&self, key: &TaskKey) -> PathBuf {
        self.directory.join(&key.0).with_extension(EXTENSION)
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A rename is durable only once its directory is.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
