//! Sends a task to an agent, once.

use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::http::{HttpClients, describe_transport_error, redact_url};
use super::rpc::SEND;
use super::{Accepted, DispatchError, Message, Part, Response, SendParams, SendRequest, Task, TaskState};

/// An agent accepts or refuses quickly; the work itself comes back by callback.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a foreign body is worth keeping in an error.
const BODY_EXCERPT: usize = 300;

/// Dispatches tasks to agents over HTTP. Cheap to clone.
#[derive(Debug, Clone)]
pub struct A2aClient {
    http: HttpClients,
}

impl Default for A2aClient {
    fn default() -> Self {
        Self::new()
    }
}

impl A2aClient {
    /// A client that gives an agent 30 seconds to answer.
    #[must_use]
    pub fn new() -> Self {
        Self::with_timeout(DEFAULT_TIMEOUT)
    }

    /// A client that gives an agent `timeout` to answer.
    #[must_use]
    pub fn with_timeout(timeout: Duration) -> Self {
        Self { http: HttpClients::new(timeout) }
    }

    /// Sends `task` to the agent at `endpoint` and reads its answer. One attempt: who calls decides on retries.
    ///
    /// # Errors
    /// See [`DispatchError`]: no answer, a status other than 2xx, a body that is not JSON-RPC, a JSON-RPC error.
    pub async fn send(&self, endpoint: &str, task: &Task) -> Result<Accepted, DispatchError> {
        let url = parse_endpoint(endpoint)?;
        let transport = |error| DispatchError::Transport {
            endpoint: redact_url(endpoint),
            reason: describe_transport_error(error),
        };
        let answer =
            self.http.for_url(&url).post(url).json(&encode_send(task)).send().await.map_err(transport)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(transport)?;
        decode_answer(endpoint, task, status, &body)
    }
}

fn parse_endpoint(endpoint: &str) -> Result<Url, DispatchError> {
    let invalid = |reason: String| DispatchError::InvalidEndpoint { endpoint: redact_url(endpoint), reason };
    let url = Url::parse(endpoint).map_err(|error| invalid(format!("it is no URL: {error}")))?;
    if url.scheme() != "http" {
        let reason = format!("scheme `{}` is not supported; give an `http://` URL", url.scheme());
        return Err(invalid(reason));
    }
    Ok(url)
}

/// The JSON-RPC request that dispatches `task`.
#[must_use]
pub fn encode_send(task: &Task) -> SendRequest {
    let text = serde_json::to_string(task).expect("a task has string keys only, so it serialises");
    SendRequest {
        jsonrpc: "2.0".to_owned(),
        id: Value::String(task.id()),
        method: SEND.to_owned(),
        params: SendParams {
            id: Some(task.id()),
            message: Message { role: "user".to_owned(), parts: vec![Part::Text { text }] },
        },
    }
}

/// Reads what the agent at `endpoint` answered to the dispatch of `task`.
///
/// # Errors
/// When the answer isn't an acceptance; see [`DispatchError`].
pub fn decode_answer(
    endpoint: &str,
    task: &Task,
    status: u16,
    body: &[u8],
) -> Result<Accepted, DispatchError> {
    let endpoint = redact_url(endpoint);
    if !(200..300).contains(&status) {
        return Err(DispatchError::Status { endpoint, status, body: excerpt(body, task) });
    }
    let not_json_rpc = |endpoint, reason| Err(DispatchError::NotJsonRpc { endpoint, reason });
    let response: Response = match serde_json::from_slice(body) {
        Ok(response) => response,
        Err(error) => {
            return not_json_rpc(endpoint, format!("{error}; the body is: {}", excerpt(body, task)));
        }
    };
    if response.jsonrpc != "2.0" {
        return not_json_rpc(endpoint, format!("its version is `{}`", hide_token(&response.jsonrpc, task)));
    }
    match (response.result, response.error) {
        (None, Some(error)) => {
            Err(DispatchError::Rpc { endpoint, code: error.code, message: hide_token(&error.message, task) })
        }
        (Some(_), Some(_)) => not_json_rpc(endpoint, "it holds a result and an error".to_owned()),
        (None, None) => not_json_rpc(endpoint, "it holds neither a result nor an error".to_owned()),
        (Some(_), None) if response.id != Value::String(task.id()) => {
            not_json_rpc(endpoint, "its id is not the id of the request".to_owned())
        }
        (Some(result), None) => accepted(endpoint, task, &result),
    }
}

/// Agents word their result differently; what counts is that they don't say the task will not be done.
fn accepted(endpoint: String, task: &Task, result: &Value) -> Result<Accepted, DispatchError> {
    let state = result
        .pointer("/status/state")
        .and_then(|state| serde_json::from_value(state.clone()).ok())
        .unwrap_or(TaskState::Unknown);
    if matches!(state, TaskState::Failed | TaskState::Rejected | TaskState::Canceled) {
        return Err(DispatchError::Refused { endpoint, state });
    }
    let task_id = result.get("id").and_then(Value::as_str).map_or_else(|| task.id(), str::to_owned);
    Ok(Accepted { task_id, state })
}

fn excerpt(body: &[u8], task: &Task) -> String {
    let text = hide_token(&String::from_utf8_lossy(body), task);
    match text.char_indices().nth(BODY_EXCERPT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// An agent may echo the request; the token must not end in a record or a log that way.
fn hide_token(text: &str, task: &Task) -> String {
    if task.callback_token.is_empty() {
        return text.to_owned();
    }
    text.replace(&task.callback_token, "<redacted>")
}
