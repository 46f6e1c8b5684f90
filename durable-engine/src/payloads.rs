//! Large payloads in a directory.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use durable_runtime::{
    payloads::{PayloadStore, PayloadStoreError},
    protocol::Payload,
    service::BoxFuture,
};
use uuid::Uuid;

/// Keeps payloads that are too large for a checkpoint as files of a directory, one folder for each execution.
///
/// ```no_run
/// use durable_engine::{Engine, PayloadDirectory};
/// use durable_runtime::{environment::Options, payloads::Payloads};
///
/// # fn open() -> Result<Engine, Box<dyn std::error::Error>> {
/// let payloads = Payloads::new(PayloadDirectory::open("orders-payloads")?);
/// let engine = Engine::builder()
///     .sqlite("orders.db")
///     .driver_options(Options::default().payloads(payloads))
///     .open()?;
/// # Ok(engine)
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct PayloadDirectory {
    root: Arc<Path>,
}

impl PayloadDirectory {
    /// Keeps payloads in the directory at `path`, which is created when there is none.
    ///
    /// # Errors
    ///
    /// It can't be created.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Self { root: path.as_ref().into() })
    }

    /// Removes what an execution has kept here, once nobody needs it any more. `id` is the last segment of its
    /// ARN. Inputs that were kept before an execution was started lie in the folder `inputs` and stay.
    ///
    /// # Errors
    ///
    /// The directory can't be changed. One that does not exist is removed already.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        let folder = self.root.join(inside(id)?);
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn act<T: Send + 'static>(
        &self,
        key: String,
        act: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, PayloadStoreError>> {
        let root = Arc::clone(&self.root);
        Box::pin(async move {
            let path = inside(&key).map(|key| root.join(key));
            let acted = tokio::task::spawn_blocking(move || path.and_then(|path| act(&path))).await;
            let failed = |error: &dyn std::fmt::Display| PayloadStoreError(format!("{key}: {error}"));
            acted.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
        })
    }
}

impl PayloadStore for PayloadDirectory {
    fn put(&self, key: String, payload: Payload) -> BoxFuture<'_, Result<(), PayloadStoreError>> {
        self.act(key, move |path| write_durably(path, payload.as_bytes()))
    }

    fn get(&self, key: String) -> BoxFuture<'_, Result<Payload, PayloadStoreError>> {
        self.act(key, |path| fs::read_to_string(path).map(Payload::from))
    }
}

/// A key comes out of a history, and a history may come from anywhere.
fn inside(key: &str) -> io::Result<PathBuf> {
    let is_plain = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if key.split('/').all(is_plain) {
        return Ok(key.split('/').collect());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a key of this store"))
}

/// Whole or not at all, and on the disk when it returns.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let existed = folder.is_dir();
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".{}", Uuid::new_v4()));
    let mut file = File::create(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // What is left of it is in nobody's way.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    File::open(folder)?.sync_all()?;
    if !existed {
        // The new folders are entries of the ones above them.
        for above in folder.ancestors().skip(1).take(2) {
            File::open(above)?.sync_all()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_inside_of_the_directory() {
        for key in ["../x", "a/../../x", "/etc/passwd", "a//b", "", "a/.hidden", "a\\b"] {
            assert!(inside(key).is_err(), "{key}");
        }
        assert_eq!(inside("a-1/b_2/c").unwrap(), PathBuf::from("a-1/b_2/c"));
    }
}
