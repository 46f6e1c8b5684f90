// Payloads that only the workflow's own programs can read: what a serdes or a type writes is sealed by an AEAD.
//
// Each text gets a random nonce, the id of the key that sealed it, and is bound to its operation: whoever can write
// to the history can neither read a payload, nor change it, nor move it to another operation or execution.

use std::{
    collections::BTreeMap,
    fmt::{self, Debug},
    marker::PhantomData,
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Generate as _, Payload},
};
use durable_runtime::serdes::{Json, Serdes, SerdesError, subject};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// Where a program has its keys from. A serdes is a type and not a value, so this is one, too.
pub trait Keys: Send + Sync + 'static {
    /// The keys of the moment.
    fn keyring() -> Arc<Keyring>;
}

/// Seals with one key, and opens what that one or an older one has sealed.
pub struct Keyring {
    current: (String, XChaCha20Poly1305),
    older: BTreeMap<String, XChaCha20Poly1305>,
}

/// What stands in the history.
#[derive(Serialize, Deserialize)]
struct Envelope {
    key: String,
    /// Nonce and ciphertext.
    sealed: String,
}

/// Bytes of an XChaCha20 nonce: so many that random ones do not meet.
const NONCE: usize = 24;

impl Keyring {
    /// A ring that seals with `key`. The id is written beside what it seals.
    #[must_use]
    pub fn new(id: impl Into<String>, key: &[u8; 32]) -> Self {
        let current = (id.into(), XChaCha20Poly1305::new(key.into()));
        Self { current, older: BTreeMap::new() }
    }

    /// Opens what `key` has sealed, too. Needed for as long as executions run that were begun with it.
    #[must_use]
    pub fn and_older(mut self, id: impl Into<String>, key: &[u8; 32]) -> Self {
        self.older.insert(id.into(), XChaCha20Poly1305::new(key.into()));
        self
    }

    fn seal(&self, text: &str) -> Result<Envelope, SerdesError> {
        let (key, cipher) = &self.current;
        let nonce = XNonce::try_generate()
            .map_err(|error| SerdesError(format!("the system gives no random bytes for a nonce: {error}")))?;
        let payload = Payload { msg: text.as_bytes(), aad: &place() };
        let ciphertext = cipher
            .encrypt(&nonce, payload)
            .map_err(|_| SerdesError(format!("{} bytes are too many to be sealed", text.len())))?;
        let sealed = BASE64_STANDARD.encode([nonce.as_slice(), &ciphertext].concat());
        Ok(Envelope { key: key.clone(), sealed })
    }

    fn open(&self, envelope: &Envelope) -> Result<String, SerdesError> {
        let id = &envelope.key;
        let cipher = if *id == self.current.0 { Some(&self.current.1) } else { self.older.get(id) };
        let Some(cipher) = cipher else {
            return Err(SerdesError(format!(
                "it is sealed with key `{id}`, which this program does not have (it has {}); give it that key, \
                 as an older one",
                self.ids()
            )));
        };
        let bytes = BASE64_STANDARD.decode(&envelope.sealed).unwrap_or_default();
        let opened = bytes.split_first_chunk::<NONCE>().and_then(|(nonce, ciphertext)| {
            let payload = Payload { msg: ciphertext, aad: &place() };
            cipher.decrypt(nonce.into(), payload).ok()
        });
        opened.and_then(|plain| String::from_utf8(plain).ok()).ok_or_else(|| {
            SerdesError(format!(
                "it is not what was sealed for this operation with key `{id}`: it was changed or moved here from \
                 another operation, or the key is another one of the same id"
            ))
        })
    }

    fn ids(&self) -> String {
        let older = self.older.keys().map(|id| format!(", `{id}`"));
        format!("`{}`{}", self.current.0, older.collect::<String>())
    }
}

/// What a sealed text is bound to. The lengths keep two different places from being the same bytes.
fn place() -> Vec<u8> {
    match subject() {
        Some(at) => {
            let (arn, id) = (&at.execution_arn, &at.operation_id);
            format!("operation {}:{arn} {}:{id}", arn.len(), id.len()).into_bytes()
        }
        // The other side of an execution's border can't know the operation.
        None => b"border".to_vec(),
    }
}

/// What went wrong with an opened text, in words that repeat none of it: errors are recorded, too.
fn unlike<T>() -> SerdesError {
    SerdesError(format!("it could be opened, but what was sealed is not a `{}`", std::any::type_name::<T>()))
}

/// A serdes that seals what `S` writes: `#[durable_step(serdes = Encrypted<MyKeys>)]`.
pub struct Encrypted<K, S = Json>(PhantomData<fn() -> (K, S)>);

impl<T, K: Keys, S: Serdes<T>> Serdes<T> for Encrypted<K, S>
where
    Self: Send + Sync + 'static,
{
    fn serialize(value: &T) -> Result<String, SerdesError> {
        Json::serialize(&K::keyring().seal(&S::serialize(value)?)?)
    }

    fn deserialize(text: &str) -> Result<T, SerdesError> {
        let envelope: Envelope =
            serde_json::from_str(text).map_err(|_| SerdesError("it is not sealed".to_owned()))?;
        S::deserialize(&K::keyring().open(&envelope)?).map_err(|_| unlike::<T>())
    }
}

/// A value that is sealed wherever it is written as JSON: for inputs and results of executions, for errors, and for
/// the copies that `join!` and `race!` make of what their branches return.
pub struct Sealed<T, K> {
    value: T,
    _keys: PhantomData<fn() -> K>,
}

impl<T, K> Sealed<T, K> {
    /// Seals `value` when it is written.
    pub const fn new(value: T) -> Self {
        Self { value, _keys: PhantomData }
    }

    /// The value.
    pub const fn get(&self) -> &T {
        &self.value
    }
}

impl<T: Clone, K> Clone for Sealed<T, K> {
    fn clone(&self) -> Self {
        Self::new(self.value.clone())
    }
}

impl<T, K> Debug for Sealed<T, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

impl<T: Serialize, K: Keys> Serialize for Sealed<T, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(&self.value).map_err(serde::ser::Error::custom)?;
        let envelope = K::keyring().seal(&text).map_err(serde::ser::Error::custom)?;
        envelope.serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned, K: Keys> Deserialize<'de> for Sealed<T, K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let envelope = Envelope::deserialize(deserializer)?;
        let text = K::keyring().open(&envelope).map_err(serde::de::Error::custom)?;
        let value = serde_json::from_str(&text).map_err(|_| serde::de::Error::custom(unlike::<T>()))?;
        Ok(Self::new(value))
    }
}
