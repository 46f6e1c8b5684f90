//! How values become the text of a checkpoint.

use serde::{Serialize, de::DeserializeOwned};

/// Turns values of type `T` into a checkpoint's text and back.
///
/// Chosen for each step, execution, map or callback with `serdes = MySerdes`; the default is [`Json`].
/// The workflow sees what [`deserialize`](Self::deserialize) gives, on the first run and on every replay.
pub trait Serdes<T>: Send + Sync + 'static {
    /// The text that is stored.
    ///
    /// # Errors
    ///
    /// The value can't be stored; the execution fails with the operation's name.
    fn serialize(value: &T) -> Result<String, SerdesError>;

    /// The value that was stored.
    ///
    /// # Errors
    ///
    /// The text is not what [`serialize`](Self::serialize) makes; the execution fails with the operation's name.
    fn deserialize(text: &str) -> Result<T, SerdesError>;
}

/// A value that could not be stored or read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SerdesError(pub String);

impl SerdesError {
    /// An error that shows the cause and, shortened, the text it is about.
    pub(crate) fn about(text: &str, wanted: &str, cause: impl std::fmt::Display) -> Self {
        let shown: String = text.chars().take(120).collect();
        let dots = if shown.len() < text.len() { "…" } else { "" };
        Self(format!("the history holds `{shown}{dots}`, which is not a `{wanted}`: {cause}"))
    }
}

/// Plain compact JSON, the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl<T: Serialize + DeserializeOwned> Serdes<T> for Json {
    fn serialize(value: &T) -> Result<String, SerdesError> {
        serde_json::to_string(value).map_err(|error| {
            SerdesError(format!("a `{}` can't be written as JSON: {error}", std::any::type_name::<T>()))
        })
    }

    fn deserialize(text: &str) -> Result<T, SerdesError> {
        serde_json::from_str(text)
            .map_err(|error| SerdesError::about(text, std::any::type_name::<T>(), error))
    }
}

/// The text as it is: what AWS's other SDKs give for callbacks by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw;

impl Serdes<String> for Raw {
    fn serialize(value: &String) -> Result<String, SerdesError> {
        Ok(value.clone())
    }

    fn deserialize(text: &str) -> Result<String, SerdesError> {
        Ok(text.to_owned())
    }
}
