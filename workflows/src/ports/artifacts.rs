//! Large payloads and reports: S3 in the cloud, a directory on one machine.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BoxFuture, StoreError};

const LONGEST_KEY: usize = 512;

/// Where an artifact is. The wire form is the same everywhere:
/// `{ "artifact_type": "s3_reference", "s3_uri": "s3://bucket/key" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRef {
    artifact_type: ReferenceTag,
    /// `s3://bucket/key`.
    pub s3_uri: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum ReferenceTag {
    #[serde(rename = "s3_reference")]
    S3Reference,
}

impl ArtifactRef {
    /// A reference to `key` in `bucket`.
    #[must_use]
    pub fn new(bucket: &str, key: &str) -> Self {
        Self { artifact_type: ReferenceTag::S3Reference, s3_uri: format!("s3://{bucket}/{key}") }
    }

    /// Bucket and key, when the reference is well formed.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, &str)> {
        let (bucket, key) = self.s3_uri.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then_some((bucket, key))
    }

    /// The reference that `value` is, if it is one.
    #[must_use]
    pub fn from_value(value: &serde_json::Value) -> Option<Self> {
        value.get("artifact_type")?;
        Self::deserialize(value).ok()
    }
}

/// An artifact's bytes with the type they were stored under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The content.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub content_type: &'static str,
}

/// The media type of an artifact, by the extension of its key.
#[must_use]
pub fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map(|(_, extension)| extension) {
        Some("json") => "application/json",
        Some("md") => "text/markdown; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// True when a key is a relative path of plain names: nothing that could leave a directory, or need escaping in a URL.
#[must_use]
pub fn is_plain_key(key: &str) -> bool {
    key.len() <= LONGEST_KEY
        && key.split('/').all(|name| {
            !name.is_empty()
                && !name.starts_with('.')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
}

/// The store of artifacts.
pub trait Artifacts: Send + Sync {
    /// Stores `bytes` under `key`, replacing what was there. Durable when it answers.
    fn put(&self, key: String, bytes: Vec<u8>) -> BoxFuture<'_, Result<ArtifactRef, StoreError>>;

    /// Reads an artifact back, whole.
    fn get(&self, reference: ArtifactRef) -> BoxFuture<'_, Result<Fetched, StoreError>>;

    /// A link by which anybody can read the artifact until it expires.
    fn presign(
        &self,
        reference: ArtifactRef,
        valid_for: Duration,
    ) -> BoxFuture<'_, Result<String, StoreError>>;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wire_form_is_that_of_s3_references() {
        let reference = ArtifactRef::new("bucket", "a/b.json");
        let wire = json!({ "artifact_type": "s3_reference", "s3_uri": "s3://bucket/a/b.json" });
        assert_eq!(serde_json::to_value(&reference).unwrap(), wire);
        assert_eq!(ArtifactRef::from_value(&wire), Some(reference.clone()));
        assert_eq!(reference.parts(), Some(("bucket", "a/b.json")));
        assert_eq!(ArtifactRef::from_value(&json!({ "artifact_type": "other", "s3_uri": "x" })), None);
        assert_eq!(ArtifactRef::from_value(&json!({ "s3_uri": "s3://bucket/a" })), None);
    }
}
