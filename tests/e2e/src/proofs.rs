//! What senders of callbacks prove besides their token. Written from the documentation, not from the handler.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// What a stack is told, and its senders know.
pub const API_KEY: &str = "the-key-of-the-guarded-stack";
/// The same, for signatures of callbacks.
pub const HMAC_SECRET: &str = "the secret that callbacks are signed with";
/// The same, for signatures of webhooks.
pub const WEBHOOK_SECRET: &str = "the secret that notices are signed with";

/// `sha256=` and the HMAC of `{timestamp}.{body}`.
#[must_use]
pub fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of an HMAC may have any length");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={digits}")
}

/// Seconds since the Unix epoch, some of them ago.
#[must_use]
pub fn seconds_ago(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    (now - seconds).to_string()
}

/// The headers that prove everything, of a body that was signed so long ago.
#[must_use]
pub fn proofs(body: &[u8], age: u64) -> Vec<(&'static str, String)> {
    let timestamp = seconds_ago(age);
    vec![
        ("x-api-key", API_KEY.to_owned()),
        ("x-callback-signature", signature(HMAC_SECRET, &timestamp, body)),
        ("x-callback-timestamp", timestamp),
    ]
}
