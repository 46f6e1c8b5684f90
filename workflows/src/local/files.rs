//! Files, as the stores of one machine use them: replaced whole, and off the threads that serve.

use std::{
    io::{self, Write},
    path::Path,
};

use crate::ports::StoreError;

/// A reader sees the old content or the new one, also after a power loss.
pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let parent = path.parent().expect("the file lies below the root of a store");
    std::fs::create_dir_all(parent)?;
    let partial = parent.join(format!(".{}.partial", uuid::Uuid::new_v4()));
    let written = (|| {
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)?;
        std::fs::File::open(parent)?.sync_all()
    })();
    if written.is_err() {
        // What matters is the error itself; a left-over partial file harms nobody.
        let _ = std::fs::remove_file(&partial);
    }
    written
}

/// Runs `work` where it may block. `what` names the store in errors.
pub(super) async fn off_thread<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let unavailable = |detail: String| StoreError::Unavailable { what, detail };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| unavailable(error.to_string()))?
        .map_err(|error| unavailable(error.to_string()))
}
