//! How values become the text of a checkpoint.

use std::{cell::RefCell, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use crate::{protocol::OperationId, scope::Cx};

/// Turns values of type `T` into a checkpoint's text and back.
///
/// Chosen for each step, execution, map or callback with `serdes = MySerdes`; the default is [`Json`].
/// The workflow sees what [`deserialize`](Self::deserialize) gives, on the first run and on every replay.
/// Which operation the text belongs to is what [`subject`] says.
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

/// What a text that is being written or read belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// The execution.
    pub execution_arn: Arc<str>,
    /// The operation in it: a step, a context, one branch of a group.
    pub operation_id: OperationId,
}

/// What the text belongs to that is being written or read, for a [`Serdes`] (or a type's own serde code) that binds
/// it to its place.
///
/// What an operation was written as is read back with the same subject, on the first run and on every replay.
/// `None` for what crosses the border of an execution, since the other side can't know the operation: its input
/// and its result, the input and the result of an invoke, what a callback delivers. `None` outside of durable code.
///
/// ```
/// use durable_runtime::{prelude::*, serdes::{Serdes, SerdesError, subject}};
///
/// /// Notes where a value belongs, and refuses it elsewhere.
/// struct Placed;
///
/// impl Serdes<u64> for Placed {
///     fn serialize(value: &u64) -> Result<String, SerdesError> {
///         let place = subject().map(|subject| subject.operation_id.to_string());
///         Ok(format!("{value} at {}", place.unwrap_or_default()))
///     }
///
///     fn deserialize(text: &str) -> Result<u64, SerdesError> {
///         let place = subject().map(|subject| subject.operation_id.to_string());
///         match text.split_once(" at ") {
///             Some((value, at)) if at == place.unwrap_or_default() => {
///                 value.parse().map_err(|_| SerdesError(format!("`{value}` is not a number")))
///             }
///             _ => Err(SerdesError("it belongs to another operation".to_owned())),
///         }
///     }
/// }
///
/// #[durable_step(serdes = Placed)]
/// async fn measure() -> Result<u64, Error> {
///     Ok(42)
/// }
/// ```
#[must_use]
pub fn subject() -> Option<Subject> {
    let operation_id = OPERATION.with_borrow(Clone::clone)?;
    let execution_arn = Arc::clone(&Cx::try_current()?.run().arn);
    Some(Subject { execution_arn, operation_id })
}

thread_local! {
    static OPERATION: RefCell<Option<OperationId>> = const { RefCell::new(None) };
}

/// Runs `code`, which writes or reads what belongs to operation `id`.
pub(crate) fn about<T>(id: &OperationId, code: impl FnOnce() -> T) -> T {
    let _restore = Restore(OPERATION.replace(Some(id.clone())));
    code()
}

/// Runs `code`, which reads what somebody outside of the execution wrote.
pub(crate) fn from_outside<T>(code: impl FnOnce() -> T) -> T {
    let _restore = Restore(OPERATION.take());
    code()
}

/// Puts the previous operation back, also when a value's own serde code unwinds.
struct Restore(Option<OperationId>);

impl Drop for Restore {
    fn drop(&mut self) {
        OPERATION.set(self.0.take());
    }
}

/// A value that could not be stored or read back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SerdesError(pub String);

impl SerdesError {
    fn unwritable(type_name: &str, error: &serde_json::Error) -> Self {
        Self(format!("a `{type_name}` can't be written as JSON: {error}"))
    }

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
        serde_json::to_string(value)
            .map_err(|error| SerdesError::unwritable(std::any::type_name::<T>(), &error))
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
