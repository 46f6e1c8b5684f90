//! Large payloads in a bucket of S3.

use std::sync::OnceLock;

use aws_sdk_s3::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    primitives::ByteStream,
    types::ServerSideEncryption,
};

use super::client;
use crate::{
    payloads::{PayloadStore, PayloadStoreError},
    protocol::Payload,
    service::BoxFuture,
};

/// Keeps payloads that are too large for a checkpoint as objects of an S3 bucket, encrypted at rest (SSE-S3).
///
/// ```no_run
/// use durable_runtime::{
///     environment::Options,
///     lambda::{self, S3Payloads},
///     payloads::Payloads,
///     prelude::*,
/// };
///
/// #[durable_execution]
/// async fn report(year: u32) -> Result<String, Error> {
///     Ok(format!("everything that happened in {year}"))
/// }
///
/// # async fn serve() -> Result<(), lambda::Error> {
/// let store = S3Payloads::new("example-bucket").prefix("payloads/");
/// let options = Options::default().payloads(Payloads::new(store));
/// lambda::handler(report).with_options(options).run().await
/// # }
/// ```
///
/// The role of the function needs `s3:PutObject` and `s3:GetObject` for the objects. With `s3:ListBucket` for the
/// bucket, too, a payload that is missing is told from one that may not be read.
///
/// Objects are never removed from here: give the bucket a lifecycle rule for the prefix, of no less than the longest
/// time that an execution may take and its history is kept.
#[derive(Debug)]
pub struct S3Payloads {
    client: OnceLock<Client>,
    bucket: String,
    prefix: String,
}

impl S3Payloads {
    /// Payloads in `bucket`, reached by a client that is configured from the function's environment by its first use.
    #[must_use]
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { client: OnceLock::new(), bucket: bucket.into(), prefix: String::new() }
    }

    /// Begins the keys of all objects with `prefix`, such as `payloads/`. Default: nothing.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Reaches the bucket by `client`.
    #[must_use]
    pub fn with_client(mut self, client: Client) -> Self {
        self.client = OnceLock::from(client);
        self
    }

    fn client(&self) -> &Client {
        self.client.get_or_init(client::s3_from_environment)
    }

    /// The object's key, of a key that may come out of a history, and so from anywhere.
    fn object(&self, key: &str) -> Result<String, PayloadStoreError> {
        let is_plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        if key.split('/').all(is_plain) {
            return Ok(format!("{}{key}", self.prefix));
        }
        Err(PayloadStoreError(format!("'{key}' is not a key of this store")))
    }

    fn failed(&self, object: &str, problem: &str) -> PayloadStoreError {
        PayloadStoreError(format!("s3://{}/{object}: {problem}", self.bucket))
    }

    async fn write(&self, key: &str, payload: Payload) -> Result<(), PayloadStoreError> {
        let object = self.object(key)?;
        let request = self
            .client()
            .put_object()
            .bucket(&self.bucket)
            .key(&object)
            .content_type("application/json")
            .server_side_encryption(ServerSideEncryption::Aes256)
            .body(ByteStream::from(payload.as_bytes().to_vec()));
        request.send().await.map_err(|error| self.failed(&object, &described(&error)))?;
        Ok(())
    }

    async fn read(&self, key: &str) -> Result<Payload, PayloadStoreError> {
        let object = self.object(key)?;
        let request = self.client().get_object().bucket(&self.bucket).key(&object);
        let answer = request.send().await.map_err(|error| self.failed(&object, &described(&error)))?;
        let content = answer.body.collect().await;
        let content = content.map_err(|error| self.failed(&object, &format!("it was cut off: {error}")))?;
        let text = String::from_utf8(content.to_vec());
        text.map(Payload::from).map_err(|error| self.failed(&object, &error.to_string()))
    }
}

impl PayloadStore for S3Payloads {
    fn put(&self, key: String, payload: Payload) -> BoxFuture<'_, Result<(), PayloadStoreError>> {
        Box::pin(async move { self.write(&key, payload).await })
    }

    fn get(&self, key: String) -> BoxFuture<'_, Result<Payload, PayloadStoreError>> {
        Box::pin(async move { self.read(&key).await })
    }
}

/// S3's own words, or the SDK's when there was no answer.
fn described<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_stay_under_the_prefix() {
        let store = S3Payloads::new("bucket").prefix("payloads/");
        assert_eq!(store.object("a-1/b_2").unwrap(), "payloads/a-1/b_2");
        for key in ["../x", "a//b", "", "/a", "a/.b", "a/b.json"] {
            assert!(store.object(key).is_err(), "{key}");
        }
    }
}
