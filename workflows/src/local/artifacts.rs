//! Artifacts in a directory; "presigned" links are signed, expiring URLs of the local server.

use std::{
    io,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use durable_runtime::protocol::Timestamp;

use super::{
    SigningKey, constant_time_eq,
    files::{off_thread, write_durably},
};
use crate::ports::{ArtifactRef, Artifacts, BoxFuture, Fetched, StoreError, content_type, is_plain_key};

const BUCKET: &str = "local";
const WHAT: &str = "the artifact store";

/// Artifacts as files below one directory.
#[derive(Clone, Debug)]
pub struct ArtifactDirectory {
    root: PathBuf,
    key: SigningKey,
    base_url: String,
}

/// Why a link opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The signature does not fit.
    #[error("the link is not valid")]
    Forged,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

impl ArtifactDirectory {
    /// Artifacts below `root`, which is made when needed, linked as `{base_url}/artifacts/{key}`.
    ///
    /// # Errors
    ///
    /// The directory can't be made.
    pub fn open(root: PathBuf, key: SigningKey, base_url: String) -> io::Result<Self> {
        std::fs::create_dir_all(&root)?;
        Ok(Self { root, key, base_url })
    }

    /// The artifact that a link names, when its signature fits and its time is not over.
    ///
    /// # Errors
    ///
    /// Says which of the two is wrong.
    pub fn verify_link(&self, key: &str, expires: &str, signature: &str) -> Result<ArtifactRef, LinkError> {
        let expected = self.link_signature(key, expires);
        if !constant_time_eq(expected.as_bytes(), signature.as_bytes()) {
            return Err(LinkError::Forged);
        }
        let deadline: i64 = expires.parse().map_err(|_| LinkError::Forged)?;
        if Timestamp::from(SystemTime::now()).as_millis() / 1000 > deadline {
            return Err(LinkError::Expired);
        }
        Ok(ArtifactRef::new(BUCKET, key))
    }

    /// The file of an artifact, whether or not it exists.
    #[must_use]
    pub fn path_of(&self, reference: &ArtifactRef) -> Option<PathBuf> {
        let (bucket, key) = reference.parts()?;
        (bucket == BUCKET && is_plain_key(key)).then(|| self.root.join(key))
    }

    fn link_signature(&self, key: &str, expires: &str) -> String {
        self.key.sign(&[b"artifact", key.as_bytes(), expires.as_bytes()])
    }

    fn checked_path(&self, reference: &ArtifactRef) -> Result<PathBuf, StoreError> {
        self.path_of(reference).ok_or_else(|| {
            StoreError::NotFound(format!("`{}` is not an artifact of this store", reference.s3_uri))
        })
    }
}

impl Artifacts for ArtifactDirectory {
    fn put(&self, key: String, bytes: Vec<u8>) -> BoxFuture<'_, Result<ArtifactRef, StoreError>> {
        Box::pin(async move {
            let reference = ArtifactRef::new(BUCKET, &key);
            let path = self.checked_path(&reference)?;
            off_thread(WHAT, move || write_durably(&path, &bytes)).await?;
            Ok(reference)
        })
    }

    fn get(&self, reference: ArtifactRef) -> BoxFuture<'_, Result<Fetched, StoreError>> {
        Box::pin(async move {
            let path = self.checked_path(&reference)?;
            let content_type = content_type(&reference.s3_uri);
            match off_thread(WHAT, move || match std::fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                other => other.map(Some),
            })
            .await?
            {
                Some(bytes) => Ok(Fetched { bytes, content_type }),
                None => Err(StoreError::NotFound(format!("there is no artifact `{}`", reference.s3_uri))),
            }
        })
    }

    fn presign(
        &self,
        reference: ArtifactRef,
        valid_for: Duration,
    ) -> BoxFuture<'_, Result<String, StoreError>> {
        Box::pin(async move {
            self.checked_path(&reference)?;
            let (_, key) = reference.parts().unwrap_or_default();
            let expires = Timestamp::from(SystemTime::now()).after(valid_for).as_millis() / 1000;
            let expires = expires.to_string();
            let signature = self.link_signature(key, &expires);
            Ok(format!("{}/artifacts/{key}?expires={expires}&signature={signature}", self.base_url))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, ArtifactDirectory) {
        let directory = tempfile::tempdir().unwrap();
        let key = SigningKey::new(*b"test");
        let store =
            ArtifactDirectory::open(directory.path().join("artifacts"), key, "http://127.0.0.1:1".into());
        (directory, store.unwrap())
    }

    #[tokio::test]
    async fn what_is_put_can_be_read_and_replaced() {
        let (_directory, store) = store();
        let reference = store.put("w/report.md".into(), b"one".to_vec()).await.unwrap();
        assert_eq!(reference.s3_uri, "s3://local/w/report.md");
        store.put("w/report.md".into(), b"two".to_vec()).await.unwrap();
        let fetched = store.get(reference).await.unwrap();
        assert_eq!(
            (fetched.bytes.as_slice(), fetched.content_type),
            (&b"two"[..], "text/markdown; charset=utf-8")
        );
        let names: Vec<_> = std::fs::read_dir(store.root.join("w")).unwrap().collect();
        assert_eq!(names.len(), 1, "no partial files stay behind");
    }

    #[tokio::test]
    async fn nothing_outside_the_directory_can_be_named() {
        let (_directory, store) = store();
        for key in
            ["../x", "/etc/passwd", "a/../../x", "a//b", ".hidden", "a b", "a/", "", "a\\b", "%2e%2e/x"]
        {
            assert!(store.put(key.into(), Vec::new()).await.is_err(), "{key}");
            assert!(store.get(ArtifactRef::new("local", key)).await.is_err(), "{key}");
        }
        assert!(store.get(ArtifactRef::new("other", "w/report.md")).await.is_err());
    }

    #[tokio::test]
    async fn a_link_opens_only_what_it_was_made_for_and_only_in_time() {
        let (_directory, store) = store();
        let reference = ArtifactRef::new("local", "w/report.md");
        let url = store.presign(reference.clone(), Duration::from_secs(60)).await.unwrap();
        let (path, query) = url.split_once('?').unwrap();
        assert_eq!(path, "http://127.0.0.1:1/artifacts/w/report.md");
        let (expires, signature) = query.split_once('&').unwrap();
        let (expires, signature) = (&expires["expires=".len()..], &signature["signature=".len()..]);
        assert_eq!(store.verify_link("w/report.md", expires, signature), Ok(reference.clone()));
        assert_eq!(store.verify_link("w/other.md", expires, signature), Err(LinkError::Forged));
        assert_eq!(store.verify_link("w/report.md", "99999999999", signature), Err(LinkError::Forged));

        let long_ago = "1000";
        let signature = store.link_signature("w/report.md", long_ago);
        assert_eq!(store.verify_link("w/report.md", long_ago, &signature), Err(LinkError::Expired));
    }
}
