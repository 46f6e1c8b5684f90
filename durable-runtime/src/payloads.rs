//! Payloads that are too large for a checkpoint, kept in a store of their own.
//!
//! The driver is the only place that knows: what it sends is replaced by a reference, what it receives is
//! replaced by the payload, so that operations, codecs and plugins see whole payloads always.

use std::{fmt, future::Future, sync::Arc, task::Poll};

use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::{
    protocol::{Operation, OperationUpdate, Payload},
    service::{BoxFuture, ServiceError},
};

/// Keeps payloads that are too large for a checkpoint: a directory, a bucket.
///
/// Whatever was put stays readable for as long as the execution may be replayed; keys begin with the
/// execution's id (inputs, which are kept before there is one, with `inputs`), for rules that remove what is
/// old, and end with a hash of the payload: nothing is ever put twice under one key with different content, not
/// even by an invocation that was given up and still runs.
pub trait PayloadStore: Send + Sync + 'static {
    /// Keeps `payload` under `key`: parts of `[a-zA-Z0-9_-]`, separated by `/`. Durable when it answers.
    ///
    /// # Errors
    ///
    /// The store is not available. The invocation ends, and the service begins another one.
    fn put(&self, key: String, payload: Payload) -> BoxFuture<'_, Result<(), PayloadStoreError>>;

    /// Reads what was put under `key`.
    ///
    /// # Errors
    ///
    /// The store is not available, or has no such key. The invocation ends, and the service begins another one.
    fn get(&self, key: String) -> BoxFuture<'_, Result<Payload, PayloadStoreError>>;
}

/// Why a [`PayloadStore`] did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PayloadStoreError(pub String);

impl From<PayloadStoreError> for ServiceError {
    fn from(error: PayloadStoreError) -> Self {
        Self::transient("PayloadStoreError", format!("a payload outside of the history: {error}"))
    }
}

/// A store of payloads, and which ones go there.
#[derive(Clone)]
pub struct Payloads {
    store: Arc<dyn PayloadStore>,
    above: usize,
}

impl fmt::Debug for Payloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payloads").field("above", &self.above).finish_non_exhaustive()
    }
}

/// What stands in a checkpoint instead of a payload.
#[derive(Serialize, Deserialize)]
struct Reference {
    #[serde(rename = "durablePayload")]
    key: String,
    bytes: usize,
}

/// How every reference begins. A payload of the user's own that begins so goes to the store, whatever its size.
const MARK: &str = r#"{"durablePayload":"#;

impl Payloads {
    /// Bytes above which a payload goes to the store unless [`Payloads::above`] says otherwise: 256 KiB.
    pub const DEFAULT_LIMIT: usize = 256 * 1024;

    /// Keeps payloads above 256 KiB in `store`.
    pub fn new(store: impl PayloadStore) -> Self {
        Self { store: Arc::new(store), above: Self::DEFAULT_LIMIT }
    }

    /// Keeps payloads above this many bytes in the store. At most 1 MiB, which is all that a checkpoint takes.
    #[must_use]
    pub fn above(mut self, bytes: usize) -> Self {
        self.above = bytes.min(crate::protocol::limits::OPERATION_PAYLOAD);
        self
    }

    fn is_large(&self, payload: &str, limit: usize) -> bool {
        payload.len() > limit || payload.starts_with(MARK)
    }

    /// Keeps an input in the store if it is large, before an execution is started with it. The same input makes
    /// the same reference, so that a start can be repeated.
    ///
    /// # Errors
    ///
    /// The store is not available.
    pub async fn stow_input(&self, input: Payload) -> Result<Payload, PayloadStoreError> {
        if !self.is_large(&input, self.above) {
            return Ok(input);
        }
        self.stow("inputs/", input).await
    }

    /// Reads the payload that `payload` refers to, or gives it back if it is none of our references.
    ///
    /// # Errors
    ///
    /// The store is not available.
    pub async fn resolve(&self, payload: Payload) -> Result<Payload, PayloadStoreError> {
        match reference(&payload) {
            Some(reference) => self.store.get(reference.key).await,
            None => Ok(payload),
        }
    }

    /// Keeps a payload under `prefix` and its hash.
    async fn stow(&self, prefix: &str, payload: Payload) -> Result<Payload, PayloadStoreError> {
        let mut hasher = SipHasher13::new();
        std::hash::Hasher::write(&mut hasher, payload.as_bytes());
        let key = format!("{prefix}{:032x}", hasher.finish128().as_u128());
        let reference = Reference { key: key.clone(), bytes: payload.len() };
        let text = serde_json::to_string(&reference).map_err(|error| PayloadStoreError(error.to_string()))?;
        self.store.put(key, payload).await?;
        Ok(Payload::from(text))
    }

    /// The result of an execution, as its invocation answers it. Only what the service would refuse goes away,
    /// for who reads it may know nothing of the store.
    pub(crate) async fn stow_result(&self, arn: &str, result: Payload) -> Result<Payload, ServiceError> {
        Ok(self.stow(&prefix(arn, "result"), result).await?)
    }

    /// Replaces the large payloads of updates by references.
    pub(crate) async fn stow_updates(
        &self,
        arn: &str,
        updates: &mut [OperationUpdate],
    ) -> Result<(), ServiceError> {
        let stowing = updates.iter_mut().filter_map(|update| {
            let payload = update.payload.as_mut().filter(|payload| self.is_large(payload, self.above))?;
            let prefix = prefix(arn, &format!("{}-{:?}", update.id, update.action));
            Some(async move {
                *payload = self.stow(&prefix, payload.clone()).await?;
                Ok(())
            })
        });
        all(stowing).await
    }

    /// Replaces the references in operations by what they refer to.
    pub(crate) async fn restore(&self, operations: &mut [Operation]) -> Result<(), ServiceError> {
        let restoring = operations.iter_mut().filter_map(|operation| {
            let payload = payload_of(operation).filter(|payload| payload.starts_with(MARK))?;
            Some(async move {
                *payload = self.resolve(payload.clone()).await?;
                Ok(())
            })
        });
        all(restoring).await
    }
}

fn reference(payload: &str) -> Option<Reference> {
    payload.starts_with(MARK).then(|| serde_json::from_str(payload).ok()).flatten()
}

fn payload_of(operation: &mut Operation) -> Option<&mut Payload> {
    if let Some(execution) = &mut operation.execution_details {
        return execution.input_payload.as_mut();
    }
    if let Some(step) = &mut operation.step_details {
        return step.result.as_mut();
    }
    if let Some(context) = &mut operation.context_details {
        return context.result.as_mut();
    }
    operation.chained_invoke_details.as_mut()?.result.as_mut()
}

/// How the keys of what `name` has stored begin, in the execution with this ARN.
fn prefix(arn: &str, name: &str) -> String {
    let execution = arn.rsplit('/').next().unwrap_or(arn);
    format!("{}/{}-", safe(execution), safe(name))
}

/// Keeps what every store takes as a key.
fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// Awaits all of them side by side; the first error ends it.
async fn all<F: Future<Output = Result<(), PayloadStoreError>>>(
    futures: impl Iterator<Item = F>,
) -> Result<(), ServiceError> {
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        let mut failed = None;
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => Poll::Ready(Err(error.into())),
            None if waiting.is_empty() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_references_are_references() {
        let text = serde_json::to_string(&Reference { key: "a/b".into(), bytes: 3 }).unwrap();
        assert!(text.starts_with(MARK), "{text}");
        assert_eq!(reference(&text).map(|reference| reference.key).as_deref(), Some("a/b"));
        assert!(reference(r#"{"key":"a"}"#).is_none());
    }

    #[test]
    fn keys_are_made_of_what_every_store_takes() {
        let arn = "arn:aws:lambda:x:function:f:1/durable-execution/name/id 1";
        assert_eq!(prefix(arn, "r/../q-Succeed"), "id_1/r____q-Succeed-");
    }
}
