//! Artifacts in an S3 bucket, encrypted at rest.

use std::time::Duration;

use aws_sdk_s3::{
    error::ProvideErrorMetadata,
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart, ServerSideEncryption},
};
use tokio::task::JoinSet;

use super::{
    Clients,
    error::{described, store_error},
};
use crate::ports::{ArtifactRef, Artifacts, BoxFuture, Fetched, StoreError, content_type, is_plain_key};

const WHAT: &str = "the artifact store";
/// Above this size an artifact is stored in parts, each of this size but the last: the least that S3 takes.
const PART: usize = 5 * 1024 * 1024;
/// How many parts are under way at a time.
const PARTS_AT_A_TIME: usize = 4;
/// What a function can hold in memory several times over. References come from agents, so that it has to be bounded.
const LARGEST: i64 = 64 * 1024 * 1024;
/// Signatures of S3 are valid for a week at most.
const LONGEST_LINK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Artifacts in one bucket.
///
/// A link is valid no longer than the credentials that signed it. Those of a Lambda function end within hours; whoever
/// shows a link later has to sign a new one.
#[derive(Clone, Debug)]
pub struct S3Artifacts {
    clients: Clients,
    bucket: String,
}

impl S3Artifacts {
    /// Artifacts in `bucket`.
    #[must_use]
    pub fn new(clients: &Clients, bucket: &str) -> Self {
        Self { clients: clients.clone(), bucket: bucket.to_owned() }
    }

    /// The key of an artifact of this bucket. Agents say where their results are, so that other buckets and odd names
    /// are none of ours, whatever the role of this process may read.
    fn key_of<'a>(&self, reference: &'a ArtifactRef) -> Result<&'a str, StoreError> {
        match reference.parts() {
            Some((bucket, key)) if bucket == self.bucket && is_plain_key(key) => Ok(key),
            _ => {
                Err(StoreError::NotFound(format!("`{}` is not an artifact of this store", reference.s3_uri)))
            }
        }
    }

    async fn put_whole(&self, key: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let request = self
            .clients
            .s3()
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type(key))
            .server_side_encryption(ServerSideEncryption::Aes256)
            .body(ByteStream::from(bytes));
        request.send().await.map_err(|error| store_error(WHAT, error))?;
        Ok(())
    }

    /// Uploads in parts. An upload that fails is aborted, since its parts would be stored, and paid for, for good.
    async fn put_in_parts(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let request = self
            .clients
            .s3()
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type(key))
            .server_side_encryption(ServerSideEncryption::Aes256);
        let begun = request.send().await.map_err(|error| store_error(WHAT, error))?;
        let upload = begun.upload_id.unwrap_or_default();
        let done = match self.upload_parts(key, &upload, bytes).await {
            Ok(parts) => self.complete(key, &upload, parts).await,
            Err(error) => Err(error),
        };
        if done.is_err() {
            let abort = self.clients.s3().abort_multipart_upload();
            if let Err(error) = abort.bucket(&self.bucket).key(key).upload_id(&upload).send().await {
                // The bucket's lifecycle rule removes what stays behind.
                tracing::warn!(error = described(&error), "an upload could not be aborted");
            }
        }
        done
    }

    async fn upload_parts(
        &self,
        key: &str,
        upload: &str,
        bytes: &[u8],
    ) -> Result<Vec<CompletedPart>, StoreError> {
        let mut waiting = bytes.chunks(PART).zip(1..);
        let mut under_way = JoinSet::new();
        let mut parts = Vec::new();
        loop {
            while under_way.len() < PARTS_AT_A_TIME
                && let Some((part, number)) = waiting.next()
            {
                let request = self
                    .clients
                    .s3()
                    .upload_part()
                    .bucket(&self.bucket)
                    .key(key)
                    .upload_id(upload)
                    .part_number(number)
                    .body(ByteStream::from(part.to_vec()));
                under_way.spawn(async move { (number, request.send().await) });
            }
            let Some(ended) = under_way.join_next().await else { break };
            let (number, sent) = ended.map_err(|error| StoreError::Unavailable {
                what: WHAT,
                detail: format!("the upload of a part was cut off: {error}"),
            })?;
            let sent = sent.map_err(|error| store_error(WHAT, error))?;
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .set_checksum_crc32(sent.checksum_crc32);
            parts.push((number, part.build()));
        }
        parts.sort_by_key(|(number, _)| *number);
        Ok(parts.into_iter().map(|(_, part)| part).collect())
    }

    async fn complete(&self, key: &str, upload: &str, parts: Vec<CompletedPart>) -> Result<(), StoreError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self
            .clients
            .s3()
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(upload)
            .multipart_upload(parts);
        request.send().await.map_err(|error| store_error(WHAT, error))?;
        Ok(())
    }
}

impl Artifacts for S3Artifacts {
    fn put(&self, key: String, bytes: Vec<u8>) -> BoxFuture<'_, Result<ArtifactRef, StoreError>> {
        Box::pin(async move {
            let reference = ArtifactRef::new(&self.bucket, &key);
            self.key_of(&reference)?;
            if bytes.len() > PART {
                self.put_in_parts(&key, &bytes).await?;
            } else {
                self.put_whole(&key, bytes).await?;
            }
            Ok(reference)
        })
    }

    fn get(&self, reference: ArtifactRef) -> BoxFuture<'_, Result<Fetched, StoreError>> {
        Box::pin(async move {
            let key = self.key_of(&reference)?;
            let request = self.clients.s3().get_object().bucket(&self.bucket).key(key);
            let object = match request.send().await {
                Ok(object) => object,
                Err(error) if error.code() == Some("NoSuchKey") => {
                    return Err(StoreError::NotFound(format!("there is no artifact `{}`", reference.s3_uri)));
                }
                Err(error) => return Err(store_error(WHAT, error)),
            };
            let size = object.content_length.unwrap_or_default();
            if size > LARGEST {
                let detail = format!("`{}` has {size} bytes; {LARGEST} are read at most", reference.s3_uri);
                return Err(StoreError::Refused { what: WHAT, detail });
            }
            let content = object.body.collect().await.map_err(|error| StoreError::Unavailable {
                what: WHAT,
                detail: format!("an artifact was cut off: {error}"),
            })?;
            Ok(Fetched { bytes: content.to_vec(), content_type: content_type(key) })
        })
    }

    fn presign(
        &self,
        reference: ArtifactRef,
        valid_for: Duration,
    ) -> BoxFuture<'_, Result<String, StoreError>> {
        Box::pin(async move {
            let key = self.key_of(&reference)?;
            let unusable = |error: String| StoreError::Refused { what: WHAT, detail: error };
            let valid_for = PresigningConfig::expires_in(valid_for.min(LONGEST_LINK))
                .map_err(|error| unusable(error.to_string()))?;
            let request = self.clients.s3().get_object().bucket(&self.bucket).key(key);
            let signed = request.presigned(valid_for).await.map_err(|error| store_error(WHAT, error))?;
            Ok(signed.uri().to_owned())
        })
    }
}
