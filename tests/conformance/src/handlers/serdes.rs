//! The custom serdes that several requirements ask for.

use durable_runtime::serdes::{Serdes, SerdesError};

/// Stores text in upper case, without quotes.
pub(super) struct Uppercase;

impl Serdes<String> for Uppercase {
    fn serialize(value: &String) -> Result<String, SerdesError> {
        Ok(value.to_uppercase())
    }

    fn deserialize(text: &str) -> Result<String, SerdesError> {
        Ok(text.to_owned())
    }
}

/// Reads text in upper case, whatever it is.
pub(super) struct UppercaseOnRead;

impl Serdes<String> for UppercaseOnRead {
    fn serialize(value: &String) -> Result<String, SerdesError> {
        Ok(value.clone())
    }

    fn deserialize(text: &str) -> Result<String, SerdesError> {
        Ok(text.to_uppercase())
    }
}

/// Stores text behind a mark.
pub(super) struct Wrapped;

const MARK: &str = "wrapped:";

impl Serdes<String> for Wrapped {
    fn serialize(value: &String) -> Result<String, SerdesError> {
        Ok(format!("{MARK}{value}"))
    }

    fn deserialize(text: &str) -> Result<String, SerdesError> {
        let value = text.strip_prefix(MARK);
        value.map(str::to_owned).ok_or_else(|| SerdesError(format!("`{text}` does not begin with `{MARK}`")))
    }
}
