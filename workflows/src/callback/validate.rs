//! The table of fields: bytes in, a valid [`Message`] out.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::redacted;
use crate::ports::Outcome;

/// The longest token, in characters.
pub const MAX_TOKEN_CHARS: usize = 1024;

/// The most bytes of an error's message, as JSON; what is longer is cut. Lambda refuses an error above 32 KB, and an
/// agent that puts its whole log into a message has failed all the same.
pub const MAX_ERROR_BYTES: usize = 16 * 1024;
/// The same of its type.
const MAX_ERROR_TYPE_BYTES: usize = 256;

/// A callback that keeps every rule of the table.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Which callback.
    pub token: String,
    /// What is said about it.
    pub signal: Signal,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("token", &redacted(&self.token))
            .field("signal", &self.signal)
            .finish()
    }
}

/// What a callback says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// The work goes on.
    Heartbeat,
    /// The work has ended.
    Outcome(Outcome),
}

impl Signal {
    /// The status as callers write it.
    #[must_use]
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Heartbeat => "HEARTBEAT",
            Self::Outcome(outcome) => outcome.status(),
        }
    }
}

/// Which field breaks the table, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {expected}")]
pub struct InvalidCallback {
    /// The field; `body` for the whole.
    pub field: &'static str,
    /// What was expected.
    pub expected: String,
}

impl InvalidCallback {
    fn new(field: &'static str, expected: impl Into<String>) -> Self {
        Self { field, expected: expected.into() }
    }
}

impl Message {
    /// Reads a body. Fields beyond the table are ignored, so that senders can add their own.
    ///
    /// # Errors
    ///
    /// Names the first field that breaks the table.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidCallback> {
        if body.trim_ascii().is_empty() {
            return Err(InvalidCallback::new("body", "is missing; expected a JSON object"));
        }
        // serde's message names a line and a column but never quotes what was sent.
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| InvalidCallback::new("body", format!("expected JSON: {error}")))?;
        let Value::Object(mut fields) = value else {
            return Err(InvalidCallback::new("body", "expected a JSON object"));
        };
        let token = token_from(fields.remove("token"))?;
        let signal = signal_from(&mut fields)?;
        Ok(Self { token, signal })
    }
}

fn token_from(value: Option<Value>) -> Result<String, InvalidCallback> {
    let invalid = |expected: &str| Err(InvalidCallback::new("token", expected));
    match value {
        None => invalid("is required"),
        Some(Value::String(token)) if token.is_empty() => invalid("must not be empty"),
        Some(Value::String(token)) if token.chars().count() > MAX_TOKEN_CHARS => {
            invalid("must have at most 1024 characters")
        }
        Some(Value::String(token)) => Ok(token),
        Some(_) => invalid("expected a string"),
    }
}

fn signal_from(fields: &mut Map<String, Value>) -> Result<Signal, InvalidCallback> {
    const STATUS: &str = "expected SUCCESS, FAILURE or HEARTBEAT";
    let status = match fields.remove("status") {
        None => return Err(InvalidCallback::new("status", format!("is required; {STATUS}"))),
        Some(Value::String(status)) => status,
        Some(_) => return Err(InvalidCallback::new("status", STATUS)),
    };
    match status.as_str() {
        "HEARTBEAT" => Ok(Signal::Heartbeat),
        "SUCCESS" => match fields.remove("result") {
            Some(result) => Ok(Signal::Outcome(Outcome::Success { result })),
            None => Err(InvalidCallback::new("result", "is required when status is SUCCESS")),
        },
        "FAILURE" => failure_from(fields.remove("error")).map(Signal::Outcome),
        _ => Err(InvalidCallback::new("status", STATUS)),
    }
}

fn failure_from(value: Option<Value>) -> Result<Outcome, InvalidCallback> {
    const EXPECTED: &str = "expected a string, or an object with the strings `type` and `message`";
    match value {
        None => Err(InvalidCallback::new("error", "is required when status is FAILURE")),
        Some(Value::String(message)) => Ok(failure(None, message)),
        Some(Value::Object(mut fields)) => match (fields.remove("type"), fields.remove("message")) {
            (Some(Value::String(error_type)), Some(Value::String(message))) => {
                Ok(failure(Some(error_type), message))
            }
            _ => Err(InvalidCallback::new("error", EXPECTED)),
        },
        Some(_) => Err(InvalidCallback::new("error", EXPECTED)),
    }
}

fn failure(error_type: Option<String>, message: String) -> Outcome {
    Outcome::Failure {
        error_type: error_type.map(|error_type| shortened(error_type, MAX_ERROR_TYPE_BYTES)),
        message: shortened(message, MAX_ERROR_BYTES),
    }
}

/// A text that has at most `limit` bytes as JSON, and a note when something of it was cut.
fn shortened(text: String, limit: usize) -> String {
    let mut length = 0;
    let cut = text.char_indices().find(|(_, character)| {
        length += match character {
            '"' | '\\' => 2,
            '\0'..='\x1f' => 6,
            other => other.len_utf8(),
        };
        length > limit
    });
    match cut {
        None => text,
        Some((at, _)) => format!("{}… [cut: it had {} bytes]", text.split_at(at).0, text.len()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Result<Signal, &'static str> {
        Message::parse(value.to_string().as_bytes())
            .map(|message| message.signal)
            .map_err(|error| error.field)
    }

    #[test]
    fn each_row_of_the_table_is_held() {
        let long = "t".repeat(MAX_TOKEN_CHARS + 1);
        for (body, field) in [
            (json!([]), "body"),
            (json!("text"), "body"),
            (json!({}), "token"),
            (json!({ "token": "", "status": "HEARTBEAT" }), "token"),
            (json!({ "token": 5, "status": "HEARTBEAT" }), "token"),
            (json!({ "token": null, "status": "HEARTBEAT" }), "token"),
            (json!({ "token": long, "status": "HEARTBEAT" }), "token"),
            (json!({ "token": "t" }), "status"),
            (json!({ "token": "t", "status": "success" }), "status"),
            (json!({ "token": "t", "status": 1 }), "status"),
            (json!({ "token": "t", "status": "SUCCESS" }), "result"),
            (json!({ "token": "t", "status": "FAILURE" }), "error"),
            (json!({ "token": "t", "status": "FAILURE", "error": null }), "error"),
            (json!({ "token": "t", "status": "FAILURE", "error": { "type": "T" } }), "error"),
            (json!({ "token": "t", "status": "FAILURE", "error": { "type": 1, "message": "m" } }), "error"),
        ] {
            assert_eq!(parse(&body), Err(field), "{body}");
        }
    }

    #[test]
    fn a_body_that_is_missing_or_not_json_is_told_apart() {
        let error = |body: &[u8]| Message::parse(body).unwrap_err().to_string();
        assert_eq!(error(b" \n"), "body: is missing; expected a JSON object");
        assert!(error(b"{").starts_with("body: expected JSON:"), "{}", error(b"{"));
        assert!(error(b"\xff\xfe").starts_with("body: expected JSON:"));
        assert!(!error(br#"{"token": secret}"#).contains("secret"));
    }

    #[test]
    fn what_the_table_allows_is_taken_as_it_is() {
        let success = |result| Ok(Signal::Outcome(Outcome::Success { result }));
        for result in [json!(null), json!(false), json!([1]), json!({ "a": "b" })] {
            assert_eq!(
                parse(&json!({ "token": "t", "status": "SUCCESS", "result": result.clone() })),
                success(result)
            );
        }
        let failure = |error_type: Option<&str>| {
            let error_type = error_type.map(str::to_owned);
            Ok(Signal::Outcome(Outcome::Failure { error_type, message: "m".into() }))
        };
        assert_eq!(parse(&json!({ "token": "t", "status": "FAILURE", "error": "m" })), failure(None));
        let error = json!({ "type": "T", "message": "m", "more": 1 });
        assert_eq!(parse(&json!({ "token": "t", "status": "FAILURE", "error": error })), failure(Some("T")));
        let longest = "ü".repeat(MAX_TOKEN_CHARS);
        assert_eq!(
            parse(&json!({ "token": longest, "status": "HEARTBEAT", "at": 1 })),
            Ok(Signal::Heartbeat)
        );
    }

    #[test]
    fn an_error_that_is_too_long_is_cut_and_says_so() {
        let message = |message: &str| {
            let body =
                json!({ "token": "t", "status": "FAILURE", "error": { "type": "T", "message": message } });
            match parse(&body) {
                Ok(Signal::Outcome(Outcome::Failure { message, .. })) => message,
                other => panic!("{other:?}"),
            }
        };
        for short in ["x".repeat(MAX_ERROR_BYTES), "ü".repeat(MAX_ERROR_BYTES / 2), "\0".repeat(2_000)] {
            assert_eq!(message(&short), short);
        }
        for (long, kept) in [
            ("x".repeat(1 << 20), MAX_ERROR_BYTES),
            ("ü".repeat(1 << 20), MAX_ERROR_BYTES / 2),
            ("\n".repeat(1 << 20), MAX_ERROR_BYTES / 6),
        ] {
            let cut = message(&long);
            let (text, note) = cut.split_once('…').unwrap();
            assert_eq!((text.chars().count(), long.starts_with(text)), (kept, true));
            assert_eq!(note, format!(" [cut: it had {} bytes]", long.len()));
            assert!(serde_json::to_string(&cut).unwrap().len() < MAX_ERROR_BYTES + 100);
        }
        // Their lengths tell them apart, and the same one is the same one again.
        let digest = |length: usize| {
            let body = json!({ "token": "t", "status": "FAILURE", "error": "x".repeat(length) });
            parse(&body).unwrap().digest()
        };
        assert_ne!(digest(1 << 20), digest(1 << 21));
        assert_eq!(digest(1 << 20), digest(1 << 20));
        let error = json!({ "type": "T".repeat(1_000), "message": "m" });
        match parse(&json!({ "token": "t", "status": "FAILURE", "error": error })) {
            Ok(Signal::Outcome(Outcome::Failure { error_type: Some(error_type), .. })) => {
                assert!(error_type.starts_with("TTT") && error_type.len() < 300, "{error_type}");
            }
            other => panic!("{other:?}"),
        }
    }
}
