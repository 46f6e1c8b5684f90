//! Checkpoint tokens: which invocation, and which of its calls.

use std::fmt;

/// The token of one checkpoint call. Bound to its invocation by a number that nobody else can guess, so that a new
/// invocation invalidates every token of those before it, and whoever reads request ids in a log has none.
///
/// 48 hexadecimal digits, which are valid base64 text as the service's API model demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CheckpointToken {
    pub(super) sequence: u64,
    pub(super) secret: u128,
}

impl CheckpointToken {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let well_formed =
            text.len() == 48 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        well_formed.then_some(())?;
        Some(Self {
            sequence: u64::from_str_radix(text.get(..16)?, 16).ok()?,
            secret: u128::from_str_radix(text.get(16..)?, 16).ok()?,
        })
    }
}

impl fmt::Display for CheckpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:032x}", self.sequence, self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_other_texts_are_refused() {
        let token = CheckpointToken { sequence: 41, secret: 9 };
        assert_eq!(CheckpointToken::parse(&token.to_string()), Some(token));
        for text in ["", "token", "é", &"z".repeat(48), &"+".repeat(48), &"A".repeat(48)] {
            assert_eq!(CheckpointToken::parse(text), None, "{text}");
        }
    }
}
