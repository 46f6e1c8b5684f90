//! JSON-RPC 2.0 as A2A uses it: the `tasks/send` request and its answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Task;

/// The only method.
pub(super) const SEND: &str = "tasks/send";

/// The error codes of JSON-RPC 2.0 that an agent of ours answers with.
pub mod error_codes {
    /// The body is not JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// The body is JSON, but no JSON-RPC 2.0 request.
    pub const INVALID_REQUEST: i64 = -32600;
    /// The method is not `tasks/send`.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The parameters carry no task this agent can do.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The agent failed before it could accept the task.
    pub const INTERNAL_ERROR: i64 = -32603;
}

/// A `tasks/send` request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SendRequest {
    /// Always `2.0`.
    pub jsonrpc: String,
    /// Echoed by the answer.
    pub id: Value,
    /// Always `tasks/send`.
    pub method: String,
    /// The message.
    pub params: SendParams,
}

/// The parameters of `tasks/send`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SendParams {
    /// The task's name, see [`Task::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is said to the agent.
    pub message: Message,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks; `user` when a workflow does.
    pub role: String,
    /// The parts of the message; a task is one text part.
    pub parts: Vec<Part>,
}

/// One part of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Part {
    /// Text; here the JSON document of a [`Task`].
    Text {
        /// The text itself.
        text: String,
    },
}

/// The answer to a request: a result or an error, never both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Always `2.0`.
    pub jsonrpc: String,
    /// The id of the request; null when it couldn't be read.
    #[serde(default)]
    pub id: Value,
    /// What the agent says of the accepted task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorObject>,
}

impl Response {
    /// The answer that a task was accepted.
    #[must_use]
    pub fn submitted(request_id: Value, task_id: &str) -> Self {
        let result = serde_json::json!({ "id": task_id, "status": { "state": "submitted" } });
        Self { jsonrpc: "2.0".to_owned(), id: request_id, result: Some(result), error: None }
    }

    /// The answer that it was not.
    #[must_use]
    pub fn failed(request_id: Value, code: i64, message: impl Into<String>) -> Self {
        let error = ErrorObject { code, message: message.into(), data: None };
        Self { jsonrpc: "2.0".to_owned(), id: request_id, result: None, error: Some(error) }
    }
}

/// The error of a JSON-RPC answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorObject {
    /// See [`error_codes`].
    pub code: i64,
    /// What went wrong, in one sentence.
    pub message: String,
    /// Anything more the agent has to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// The agent's word that it has the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// The name the agent gave the task.
    pub task_id: String,
    /// The state the agent says the task is in.
    pub state: TaskState,
}

/// The state of a task as an agent reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Accepted, not begun.
    Submitted,
    /// Being worked on.
    Working,
    /// The agent wants to ask something.
    InputRequired,
    /// Done already; the outcome still comes by callback.
    Completed,
    /// Stopped.
    #[serde(alias = "cancelled")]
    Canceled,
    /// Failed at once.
    Failed,
    /// Refused.
    Rejected,
    /// A state this version doesn't know.
    #[serde(other)]
    Unknown,
}

/// Why a request body holds no task: the error to answer with, and the request's id as far as it was readable.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestError {
    /// The id of the request, or null.
    pub id: Value,
    /// What to answer.
    pub error: ErrorObject,
}

impl RequestError {
    /// The JSON-RPC answer that says so.
    #[must_use]
    pub fn into_response(self) -> Response {
        Response { jsonrpc: "2.0".to_owned(), id: self.id, result: None, error: Some(self.error) }
    }
}

/// Reads the task out of a `tasks/send` request; the agent's side of [`encode_send`](super::encode_send).
///
/// # Errors
/// With the JSON-RPC error that answers the request, when the body is not JSON, not JSON-RPC 2.0, calls
/// another method, or carries no task.
pub fn decode_send(body: &[u8]) -> Result<(Value, Task), RequestError> {
    use error_codes::{INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR};
    let refuse = |id: &Value, code, message: String| RequestError {
        id: id.clone(),
        error: ErrorObject { code, message, data: None },
    };

    let request: Value = serde_json::from_slice(body)
        .map_err(|error| refuse(&Value::Null, PARSE_ERROR, format!("the body is not JSON: {error}")))?;
    let id = match request.get("id") {
        Some(id @ (Value::String(_) | Value::Number(_))) => id.clone(),
        _ => Value::Null,
    };
    if request.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        let message = "this is no JSON-RPC 2.0 request; expected `\"jsonrpc\": \"2.0\"`".to_owned();
        return Err(refuse(&id, INVALID_REQUEST, message));
    }
    if id.is_null() {
        let message =
            "a request needs an `id`, a string or a number; notifications are not answered".to_owned();
        return Err(refuse(&id, INVALID_REQUEST, message));
    }
    match request.get("method").and_then(Value::as_str) {
        Some(SEND) => {}
        Some(other) => {
            let message = format!("method `{other}` is not known; this agent answers `{SEND}`");
            return Err(refuse(&id, METHOD_NOT_FOUND, message));
        }
        None => return Err(refuse(&id, INVALID_REQUEST, "`method` is missing".to_owned())),
    }

    let params = request.get("params").cloned().unwrap_or(Value::Null);
    let params: SendParams = serde_json::from_value(params)
        .map_err(|error| refuse(&id, INVALID_PARAMS, format!("`params` is no `{SEND}` message: {error}")))?;
    let [Part::Text { text }] = params.message.parts.as_slice() else {
        let message = format!(
            "`params.message.parts` must be one text part; it has {} parts",
            params.message.parts.len()
        );
        return Err(refuse(&id, INVALID_PARAMS, message));
    };
    let task: Task = serde_json::from_str(text).map_err(|error| {
        refuse(&id, INVALID_PARAMS, format!("the text part is no task document: {error}"))
    })?;
    Ok((id, task))
}
