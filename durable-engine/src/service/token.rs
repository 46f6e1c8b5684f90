//! Checkpoint tokens: which invocation, and which of its calls.

use std::fmt;

use uuid::Uuid;

/// The token of one checkpoint call. Bound to its invocation, so that a new one invalidates every token of
/// the invocations before it.
///
/// 48 hexadecimal digits, which are valid base64 text as the service's API model demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CheckpointToken {
    pub(super) sequence: u64,
    pub(super) invocation: Uuid,
}

impl CheckpointToken {
    pub(super) fn parse(text: &str) -> Option<Self> {
        (text.len() == 48 && text.is_ascii()).then_some(())?;
        Some(Self {
            sequence: u64::from_str_radix(text.get(..16)?, 16).ok()?,
            invocation: Uuid::try_parse(text.get(16..)?).ok()?,
        })
    }
}

impl fmt::Display for CheckpointToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.sequence, self.invocation.simple())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_other_texts_are_refused() {
        let token = CheckpointToken { sequence: 41, invocation: Uuid::from_u128(9) };
        assert_eq!(CheckpointToken::parse(&token.to_string()), Some(token));
        for text in ["", "token", "é", &"z".repeat(48)] {
            assert_eq!(CheckpointToken::parse(text), None, "{text}");
        }
    }
}
