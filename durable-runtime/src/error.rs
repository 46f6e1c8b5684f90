//! The errors that durable operations give to user code.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{protocol::ErrorObject, value::DurableError};

/// Any error, in a form that survives replay: its type's name, its message and its causes.
///
/// Made from every [`std::error::Error`] by `?`, so that a step can return `Result<T, durable_runtime::Error>`
/// without an error type of its own. For the same reason it does not implement `std::error::Error` itself.
///
/// ```
/// use durable_runtime::Error;
///
/// fn parse(text: &str) -> Result<u32, Error> {
///     Ok(text.parse()?)
/// }
///
/// let error = parse("many").unwrap_err();
/// assert_eq!(error.kind(), "ParseIntError");
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "durable_runtime::Error")]
pub struct Error {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
}

impl Error {
    /// The serde name that marks this type in a stored error, see [`crate::codec`].
    pub(crate) const SERDE_NAME: &'static str = "durable_runtime::Error";

    /// An error that says `message`, of type `Error`.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of_kind("Error", message)
    }

    /// An error of a named type: the name becomes `ErrorType` on the wire, and retry policies can match it.
    pub fn of_kind(kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind: kind.into(), message: message.into(), causes: Vec::new() }
    }

    /// The name of the original error's type, without its path.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Cuts its texts to `longest` bytes each, and all causes together to as many.
    pub(crate) fn shorten(&mut self, longest: usize) {
        cut(&mut self.kind, longest);
        cut(&mut self.message, longest);
        let mut left = longest;
        self.causes.retain_mut(|cause| {
            cut(cause, left);
            left = left.saturating_sub(cause.len());
            left > 0
        });
    }

    /// The messages of the causes, outermost first.
    pub fn causes(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().map(String::as_str)
    }
}

fn cut(text: &mut String, longest: usize) {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
        text.push('…');
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let causes = std::iter::successors(error.source(), |cause| cause.source());
        Self {
            kind: short_type_name::<E>(),
            message: error.to_string(),
            causes: causes.map(ToString::to_string).collect(),
        }
    }
}

/// The last segment of a type's path, without its parameters: stable when a type moves between modules.
pub(crate) fn short_type_name<T: ?Sized>() -> String {
    last_segment(std::any::type_name::<T>())
}

pub(crate) fn last_segment(full: &str) -> String {
    let bare = full.split('<').next().unwrap_or(full);
    bare.rsplit("::").next().unwrap_or(bare).to_owned()
}

/// Why a step's attempt ended without an answer of its own.
///
/// A step that is `at_most_once` or has a `timeout` needs an error type that can be made from this one: its
/// caller gets `Err(E::from(interrupted))` when no attempt is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("step `{step}` was interrupted in attempt {attempt}: {reason}")]
pub struct Interrupted {
    /// The step's name.
    pub step: String,
    /// Which attempt, counted from 1.
    pub attempt: u32,
    /// What happened.
    pub reason: Interruption,
}

/// What interrupted an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Interruption {
    /// The process ended while the attempt ran; whether its effect happened is unknown.
    #[error("the process ended while it ran, so its effect may or may not have happened")]
    ProcessEnded,
    /// It ran longer than its `timeout`.
    #[error("it ran longer than {milliseconds} ms")]
    TimedOut {
        /// The limit.
        milliseconds: u64,
    },
    /// It panicked.
    #[error("it panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
}

/// Why a callback gave no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CallbackError {
    /// Nobody completed it in time.
    #[error("callback `{name}` timed out")]
    TimedOut {
        /// The callback's name.
        name: String,
    },
    /// Its heartbeats stopped.
    #[error("callback `{name}` timed out on heartbeat")]
    HeartbeatLost {
        /// The callback's name.
        name: String,
    },
    /// Its sender reported a failure.
    #[error("{}", error.message())]
    Failed {
        /// The callback's name.
        name: String,
        /// The sender's error, as it was sent.
        error: ErrorObject,
    },
}

impl CallbackError {
    /// The callback's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::TimedOut { name } | Self::HeartbeatLost { name } | Self::Failed { name, .. } => name,
        }
    }
}

/// Why an invoked function gave no value. Its text is the function's own message, unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum InvokeError {
    /// It failed.
    #[error("{}", error.message())]
    Failed {
        /// The function.
        function: String,
        /// Its error, as it was recorded.
        error: ErrorObject,
    },
    /// It ran out of time.
    #[error("{}", self.message_or("timed out"))]
    TimedOut {
        /// The function.
        function: String,
        /// What the service says of it.
        #[serde(default)]
        error: ErrorObject,
    },
    /// It was stopped from outside.
    #[error("{}", self.message_or("was stopped"))]
    Stopped {
        /// The function.
        function: String,
        /// What it was stopped with.
        #[serde(default)]
        error: ErrorObject,
    },
}

impl InvokeError {
    /// The function.
    #[must_use]
    pub fn function(&self) -> &str {
        match self {
            Self::Failed { function, .. }
            | Self::TimedOut { function, .. }
            | Self::Stopped { function, .. } => function,
        }
    }

    /// The function's error: its type, message and data, as they were recorded.
    #[must_use]
    pub fn error(&self) -> &ErrorObject {
        match self {
            Self::Failed { error, .. } | Self::TimedOut { error, .. } | Self::Stopped { error, .. } => error,
        }
    }

    /// The function's error as the value that it returned, if it failed with an `E`: one whose type has the same name
    /// and whose data can be read as one.
    ///
    /// ```
    /// use durable_runtime::{InvokeError, protocol::ErrorObject};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
    /// #[error("{trays} empty trays")]
    /// struct NoPaper {
    ///     trays: u32,
    /// }
    ///
    /// let error = ErrorObject {
    ///     error_data: Some(r#"{"trays":3}"#.into()),
    ///     ..ErrorObject::new("NoPaper", "3 empty trays")
    /// };
    /// let failed = InvokeError::Failed { function: "label-printer".into(), error };
    /// assert_eq!(failed.downcast(), Some(NoPaper { trays: 3 }));
    /// assert_eq!(failed.to_string(), "3 empty trays");
    /// ```
    #[must_use]
    pub fn downcast<E: DurableError>(&self) -> Option<E> {
        let Self::Failed { error, .. } = self else { return None };
        crate::codec::read_error(error)
    }

    /// The recorded message; what happened to the function where none was.
    fn message_or(&self, what: &str) -> String {
        match &self.error().error_message {
            Some(message) => message.clone(),
            None => format!("invoked function `{}` {what}", self.function()),
        }
    }
}

/// A condition was not met within its attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("condition `{name}` was not met in {attempts} attempts")]
pub struct ConditionExhausted {
    /// The condition's name.
    pub name: String,
    /// How often it was checked.
    pub attempts: u32,
}
