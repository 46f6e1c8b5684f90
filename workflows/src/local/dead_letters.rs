//! Callbacks that could not be stored, as files: a disk that takes no row any more may still take one of these.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use super::files::{off_thread, write_durably};
use crate::{
    callback::sha256,
    ports::{BoxFuture, DeadLetterQueue, Kept, StoreError, Unstored},
};

const WHAT: &str = "the dead-letter directory";
const EXTENSION: &str = "json";

/// One file for each callback, in a directory that is made when the first one comes.
#[derive(Clone, Debug)]
pub struct DeadLetterDirectory(PathBuf);

impl DeadLetterDirectory {
    /// Files in `directory`.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    fn path_of(&self, id: &str) -> PathBuf {
        // The id may be anybody's; a name made of it is only ours.
        self.0.join(sha256(id.as_bytes())).with_extension(EXTENSION)
    }
}

impl DeadLetterQueue for DeadLetterDirectory {
    fn keep(&self, callback: Unstored) -> BoxFuture<'_, Result<(), StoreError>> {
        let path = self.path_of(&callback.id);
        Box::pin(off_thread(WHAT, move || write_durably(&path, &serde_json::to_vec(&callback)?)))
    }

    fn kept(&self) -> BoxFuture<'_, Result<Vec<Kept>, StoreError>> {
        let directory = self.0.clone();
        Box::pin(off_thread(WHAT, move || {
            let mut kept = read(&directory)?;
            kept.sort_by(|a, b| (a.callback.at, &a.callback.id).cmp(&(b.callback.at, &b.callback.id)));
            Ok(kept)
        }))
    }

    fn release(&self, receipt: String) -> BoxFuture<'_, Result<(), StoreError>> {
        let path = self.path_of(&receipt);
        Box::pin(off_thread(WHAT, move || match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }))
    }
}

fn read(directory: &Path) -> io::Result<Vec<Kept>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut kept = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        match serde_json::from_slice::<Unstored>(&std::fs::read(&path)?) {
            Ok(callback) => kept.push(Kept { receipt: callback.id.clone(), callback }),
            // The others can be delivered all the same.
            Err(error) => tracing::error!(path = %path.display(), %error, "a dead letter can't be read"),
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_damaged_file_hides_no_other_and_is_kept_for_a_person_to_look_at() {
        let directory = tempfile::tempdir().unwrap();
        let damaged = directory.path().join("damaged.json");
        std::fs::write(&damaged, b"{").unwrap();
        std::fs::write(directory.path().join(".x.partial"), b"{").unwrap();
        let queue = DeadLetterDirectory::new(directory.path().to_owned());
        let callback = Unstored {
            id: "../r".to_owned(),
            token: "t".to_owned(),
            outcome: crate::ports::Outcome::Failure { error_type: None, message: "m".to_owned() },
            digest: "d".to_owned(),
            reason: "down".to_owned(),
            at: durable_runtime::protocol::Timestamp::from_millis(1),
        };
        queue.keep(callback.clone()).await.unwrap();
        let kept = queue.kept().await.unwrap();
        assert_eq!(kept.iter().map(|it| &it.callback).collect::<Vec<_>>(), [&callback]);
        queue.release(kept[0].receipt.clone()).await.unwrap();
        assert_eq!(queue.kept().await.unwrap(), []);
        assert!(damaged.exists());
    }
}
