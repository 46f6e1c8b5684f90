//! What identifies an outcome, and what may be logged of a token.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Signal;
use crate::ports::Outcome;

/// Bytes as hexadecimal text.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// SHA-256 as hexadecimal text.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Enough of a token to find its log lines, too little to use it.
#[must_use]
pub fn redacted(token: &str) -> String {
    format!("sha256:{}", sha256(token.as_bytes()).chars().take(12).collect::<String>())
}

impl Signal {
    /// The same for equal outcomes, however their JSON was written.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        match self {
            Self::Heartbeat => hasher.update(b"heartbeat"),
            Self::Outcome(Outcome::Success { result }) => {
                hasher.update(b"success");
                feed(&mut hasher, result);
            }
            Self::Outcome(Outcome::Failure { error_type, message }) => {
                hasher.update(b"failure");
                feed(&mut hasher, &Value::from(error_type.clone()));
                feed(&mut hasher, &Value::from(message.clone()));
            }
        }
        hex(&hasher.finalize())
    }
}

/// Feeds a value with its structure, members in the order of their names.
fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
            hasher.update([b'{']);
            hasher.update((sorted.len() as u64).to_be_bytes());
            for (name, field) in sorted {
                feed_text(hasher, name);
                feed(hasher, field);
            }
        }
        Value::Array(items) => {
            hasher.update([b'[']);
            hasher.update((items.len() as u64).to_be_bytes());
            for item in items {
                feed(hasher, item);
            }
        }
        Value::String(text) => feed_text(hasher, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            hasher.update([b'=']);
            feed_text(hasher, &value.to_string());
        }
    }
}

fn feed_text(hasher: &mut Sha256, text: &str) {
    hasher.update([b'"']);
    hasher.update((text.len() as u64).to_be_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn digest(result: &str) -> String {
        let result = serde_json::from_str(result).unwrap();
        Signal::Outcome(Outcome::Success { result }).digest()
    }

    #[test]
    fn equal_outcomes_have_equal_digests_and_others_do_not() {
        assert_eq!(digest(r#"{ "a": 1, "b": [true, null] }"#), digest(r#"{"b":[true,null],"a":1}"#));
        assert_ne!(digest(r#"["ab","c"]"#), digest(r#"["a","bc"]"#));
        assert_ne!(digest(r#"[[],1]"#), digest(r#"[[1]]"#));
        assert_ne!(digest("1"), digest(r#""1""#));
        assert_ne!(digest("null"), Signal::Heartbeat.digest());
        let failure = |kind: Option<&str>| {
            Signal::Outcome(Outcome::Failure { error_type: kind.map(str::to_owned), message: "m".into() })
                .digest()
        };
        assert_ne!(failure(None), failure(Some("T")));
        assert_ne!(failure(None), digest(&json!("m").to_string()));
    }

    #[test]
    fn a_redacted_token_does_not_contain_it() {
        let token = "very-secret-token";
        assert!(!redacted(token).contains("secret"));
        assert_ne!(redacted(token), redacted("another"));
    }
}
