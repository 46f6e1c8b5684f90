//! One process at a time: an advisory lock on a file beside the database.

use std::{
    fs::{File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use super::{OpenError, open::private_file};

/// The lock, held until it is dropped. The file stays: removing it would let two processes hold locks on two
/// files of the same name.
pub(super) struct LockFile {
    file: File,
}

impl LockFile {
    /// Takes the lock for the database at `database`.
    pub(super) fn acquire(database: &Path) -> Result<Self, OpenError> {
        let path = path_for(database);
        let io = |source: io::Error| OpenError::Lock { path: path.clone(), source };
        let mut file = private_file().create(true).truncate(false).open(&path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Some systems refuse to read a locked file; the message can do without the number.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim().parse::<u32>().ok();
                return Err(OpenError::InUse { database: database.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let pid = std::process::id().to_string();
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(pid.as_bytes()))
            .map_err(io)?;
        Ok(Self { file })
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Closing the file releases the lock anyway; this says so.
        let _ = self.file.unlock();
    }
}

fn path_for(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}
