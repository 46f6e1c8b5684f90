//! The door: who may come in, and with what. Nothing is stored here.

use durable_runtime::protocol::Timestamp;

use super::{Answer, Authentication, Headers, Message, redacted};

/// The largest body on one machine, as at a gateway in the cloud; a function behind one takes less.
pub const MAX_CALLBACK_BYTES: usize = 10 * 1024 * 1024;

/// A request as it stands at the door, whatever server it came through.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Identifies it in logs, history and dead letters.
    pub request_id: &'a str,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What it proves.
    pub headers: Headers<'a>,
    /// The most bytes that it may have.
    pub limit: usize,
    /// What it says. The media type that the sender gave it does not matter, as many give none or a wrong one.
    pub body: &'a [u8],
}

/// Lets a request in.
///
/// # Errors
///
/// The answer to one that is too large, proves too little, or breaks the table of fields.
pub fn admit(authentication: &Authentication, arrival: Arrival<'_>) -> Result<Message, Answer> {
    let Arrival { request_id, received_at, headers, limit, body } = arrival;
    tracing::info!(event_type = "callback_received", request_id, bytes = body.len());
    if body.len() > limit {
        return Err(too_large(request_id, limit));
    }
    if let Err(error) = authentication.check(headers, body, received_at) {
        tracing::warn!(event_type = "callback_unauthorized", request_id, http_status = 401, %error);
        return Err(Answer::error(401, &error.to_string()));
    }
    let message = Message::parse(body).map_err(|error| {
        tracing::warn!(event_type = "callback_invalid", request_id, http_status = 400, %error);
        Answer::error(400, &error.to_string())
    })?;
    let (token, status) = (redacted(&message.token), message.signal.status());
    tracing::info!(event_type = "callback_validated", request_id, token, status);
    Ok(message)
}

/// The answer to a body that was not even read.
pub(crate) fn too_large(request_id: &str, limit: usize) -> Answer {
    tracing::warn!(event_type = "callback_too_large", request_id, http_status = 413);
    Answer::error(413, &format!("body: has more than {limit} bytes; refer to a large result by `s3_uri`"))
}
