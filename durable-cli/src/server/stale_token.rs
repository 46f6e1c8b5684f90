//! What a stale checkpoint token is called. AWS's SDKs know it by the words that the message begins with, case
//! included, and then have the invocation retried; by any other words they fail the execution.
//!
//! The one for JavaScript, and the one for Python until 2.0.0, expect the engine's words; the one for Python expects
//! others since 2.0.1. So the words are chosen by who asks.

use axum::http::{HeaderMap, header};

/// The engine's words.
pub(super) const WORDS: &str = "Invalid Checkpoint Token";
const PYTHON_WORDS: &str = "Invalid checkpoint token";

/// What Python's SDK says about itself among other things, followed by its version.
const PYTHON_SDK: &str = "aws-durable-execution-sdk-python/";
/// Its first version that expects words of its own.
const PYTHON_SINCE: [u32; 3] = [2, 0, 1];

/// The words that the client who sent `headers` knows.
pub(super) fn words_for(headers: &HeaderMap) -> &'static str {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    match agent.and_then(python_version) {
        Some(version) if version >= PYTHON_SINCE => PYTHON_WORDS,
        _ => WORDS,
    }
}

/// A version may end with something else, such as `-bundled`; parts that are missing are zero.
fn python_version(agent: &str) -> Option<[u32; 3]> {
    let (_, version) = agent.split_once(PYTHON_SDK)?;
    let mut parts = version.split('.').map(|part| {
        let digits = part.find(|it: char| !it.is_ascii_digit()).unwrap_or(part.len());
        part.get(..digits).and_then(|number| number.parse().ok()).unwrap_or(0)
    });
    Some(std::array::from_fn(|_| parts.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_pythons_sdk_is_found_among_others() {
        let version = |agent: &str| python_version(agent);
        assert_eq!(
            version("Boto3/1.44.5 lang/python#3.11.7 aws-durable-execution-sdk-python/3.0.0"),
            Some([3, 0, 0])
        );
        assert_eq!(version("aws-durable-execution-sdk-python/2.0.1-bundled x/9.9.9"), Some([2, 0, 1]));
        assert_eq!(version("aws-durable-execution-sdk-python/2.1 x/1"), Some([2, 1, 0]));
        assert_eq!(version("aws-sdk-js/3.1162.0 aws-durable-execution-sdk-js/2.4.0"), None);
    }
}
