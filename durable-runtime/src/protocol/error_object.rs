use std::fmt;

use serde::{Deserialize, Serialize};

/// An error as the service stores it. Every member is optional on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ErrorObject {
    /// What went wrong, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The name of the error's type, for a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    /// The serialised error itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_data: Option<String>,
    /// One frame a line, when the runtime that failed gave any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<Vec<String>>,
}

impl ErrorObject {
    /// An error of type `error_type` that says `message`.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error_message: Some(message.into()), error_type: Some(error_type.into()), ..Self::default() }
    }

    /// The message, or the type, or a plain "unknown error".
    #[must_use]
    pub fn message(&self) -> &str {
        self.error_message.as_deref().or(self.error_type.as_deref()).unwrap_or("unknown error")
    }

    /// The error's type name, if one was recorded.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.error_type.as_deref()
    }
}

impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error_type, &self.error_message) {
            (Some(kind), Some(message)) => write!(f, "{kind}: {message}"),
            _ => f.write_str(self.message()),
        }
    }
}
