//! Who may call back: anybody who has a token, or only who also proves to know a secret.

use std::{fmt, time::Duration};

use durable_runtime::protocol::Timestamp;

use crate::local::{SigningKey, constant_time_eq};

/// Carries the API key.
pub const API_KEY_HEADER: &str = "x-api-key";
/// Carries `sha256=` and the hexadecimal HMAC-SHA-256 of `{timestamp}.{body}`.
pub const SIGNATURE_HEADER: &str = "x-callback-signature";
/// Carries the time of the signature in seconds since the Unix epoch.
pub const TIMESTAMP_HEADER: &str = "x-callback-timestamp";

/// How far a signature's time may be from ours, either way.
const REPLAY_WINDOW: Duration = Duration::from_secs(300);

/// What a sender has to prove. Whatever is configured is required; by default nothing is.
#[derive(Clone, Default)]
pub struct Authentication {
    /// The key expected in [`API_KEY_HEADER`].
    pub api_key: Option<String>,
    /// The secret of the signatures.
    pub hmac_secret: Option<String>,
    /// A key of this process for the agents it hosts itself. In [`API_KEY_HEADER`] it stands in for any other
    /// proof.
    pub embedded_key: Option<String>,
}

impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authentication")
            .field("api_key", &self.api_key.is_some())
            .field("hmac_secret", &self.hmac_secret.is_some())
            .finish()
    }
}

/// The headers that matter here, from whatever server there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// [`API_KEY_HEADER`]
    pub api_key: Option<&'a str>,
    /// [`SIGNATURE_HEADER`]
    pub signature: Option<&'a str>,
    /// [`TIMESTAMP_HEADER`]
    pub timestamp: Option<&'a str>,
}

/// Why a sender is not let in. Says nothing that helps to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The API key is missing or wrong.
    #[error("x-api-key: missing or wrong")]
    ApiKey,
    /// The signature is missing or does not fit the body.
    #[error("x-callback-signature: missing or wrong")]
    Signature,
    /// The signature is too old, or from the future.
    #[error("x-callback-timestamp: missing, or too far from the time of the server")]
    Timestamp,
}

impl Authentication {
    /// True when senders need to prove something.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.api_key.is_some() || self.hmac_secret.is_some()
    }

    /// Lets a request in or says what is wrong with it.
    ///
    /// # Errors
    ///
    /// The first proof that is missing or wrong.
    pub fn check(&self, headers: Headers<'_>, body: &[u8], now: Timestamp) -> Result<(), AuthError> {
        if let (Some(key), Some(given)) = (&self.embedded_key, headers.api_key)
            && constant_time_eq(key.as_bytes(), given.as_bytes())
        {
            return Ok(());
        }
        if let Some(key) = &self.api_key {
            let given = headers.api_key.ok_or(AuthError::ApiKey)?;
            if !constant_time_eq(key.as_bytes(), given.as_bytes()) {
                return Err(AuthError::ApiKey);
            }
        }
        if let Some(secret) = &self.hmac_secret {
            let timestamp = headers.timestamp.ok_or(AuthError::Timestamp)?;
            let seconds: i64 = timestamp.parse().map_err(|_| AuthError::Timestamp)?;
            let distance = (now.as_millis() / 1000).abs_diff(seconds);
            if distance > REPLAY_WINDOW.as_secs() {
                return Err(AuthError::Timestamp);
            }
            let given = headers.signature.ok_or(AuthError::Signature)?;
            let expected = sign(secret, timestamp, body);
            if !constant_time_eq(expected.as_bytes(), given.to_ascii_lowercase().as_bytes()) {
                return Err(AuthError::Signature);
            }
        }
        Ok(())
    }
}

/// The signature of a body at a time in seconds since the Unix epoch, as [`SIGNATURE_HEADER`] carries it.
#[must_use]
pub fn sign(secret: &str, timestamp: &str, body: &[u8]) -> String {
    format!("sha256={}", SigningKey::new(secret).sign_message(&[timestamp.as_bytes(), b".", body].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn nothing_is_asked_for_by_default() {
        assert_eq!(Authentication::default().check(Headers::default(), b"", NOW), Ok(()));
    }

    #[test]
    fn an_api_key_has_to_be_the_right_one() {
        let auth = Authentication { api_key: Some("key".into()), ..Authentication::default() };
        let check = |api_key| auth.check(Headers { api_key, ..Headers::default() }, b"", NOW);
        assert_eq!(check(Some("key")), Ok(()));
        for wrong in [None, Some(""), Some("kez"), Some("keyy")] {
            assert_eq!(check(wrong), Err(AuthError::ApiKey));
        }
    }

    #[test]
    fn a_signature_covers_time_and_body_and_ages() {
        let auth = Authentication { hmac_secret: Some("s".into()), ..Authentication::default() };
        let check = |timestamp: &str, signed: &[u8], sent: &[u8]| {
            let signature = sign("s", timestamp, signed);
            let headers = Headers { api_key: None, signature: Some(&signature), timestamp: Some(timestamp) };
            auth.check(headers, sent, NOW)
        };
        assert_eq!(check("1800000000", b"body", b"body"), Ok(()));
        assert_eq!(check("1799999700", b"body", b"body"), Ok(()));
        assert_eq!(check("1800000000", b"body", b"other"), Err(AuthError::Signature));
        assert_eq!(check("1799999699", b"body", b"body"), Err(AuthError::Timestamp));
        assert_eq!(check("1800000301", b"body", b"body"), Err(AuthError::Timestamp));
        assert_eq!(check("soon", b"body", b"body"), Err(AuthError::Timestamp));
        assert_eq!(auth.check(Headers::default(), b"body", NOW), Err(AuthError::Timestamp));
        let hosted = Authentication { embedded_key: Some("inner".into()), ..auth.clone() };
        let inner = Headers { api_key: Some("inner"), ..Headers::default() };
        assert_eq!(hosted.check(inner, b"body", NOW), Ok(()));
        assert_eq!(auth.check(inner, b"body", NOW), Err(AuthError::Timestamp));
        let unsigned = Headers { timestamp: Some("1800000000"), ..Headers::default() };
        assert_eq!(auth.check(unsigned, b"body", NOW), Err(AuthError::Signature));
    }
}
