//! What a scripted agent does.

use serde_json::{Value, json};

use super::Phase;
use crate::api::Message;

/// A task as it was dispatched.
#[derive(Clone, Debug)]
pub struct Task {
    /// Which agent's.
    pub phase: Phase,
    /// What about.
    pub topic: String,
    /// Where to call back.
    pub callback_url: String,
    /// Under which token.
    pub callback_token: String,
    /// The whole document.
    pub document: Value,
}

impl Task {
    /// The task in a JSON-RPC request, if it is a dispatch.
    pub(super) fn of_request(request: &Value) -> Option<Self> {
        let text = request.pointer("/params/message/parts/0/text")?.as_str()?;
        let document: Value = serde_json::from_str(text).ok()?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            phase: Phase::of_task(&text("task")?)?,
            topic: text("topic")?,
            callback_url: text("callback_url")?,
            callback_token: text("callback_token")?,
            document,
        })
    }
}

/// What an agent does with a task.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Accepts it and delivers this result.
    Succeed(Value),
    /// Accepts it and reports that it failed.
    Fail(Value),
    /// Accepts it; the scenario calls back, or nobody does.
    Hold,
    /// Refuses it with a JSON-RPC error.
    Refuse,
    /// Answers something that is not JSON-RPC.
    Babble,
}

impl Behaviour {
    /// The answer to the dispatch.
    pub(super) fn answer(&self, request: &Value) -> Vec<u8> {
        let id = request.get("id").cloned().unwrap_or_default();
        let answer = match self {
            Self::Succeed(_) | Self::Fail(_) | Self::Hold => {
                let result = json!({ "id": id, "status": { "state": "submitted" } });
                json!({ "jsonrpc": "2.0", "id": id, "result": result })
            }
            Self::Refuse => {
                let error = json!({ "code": -32602, "message": "this agent takes no such tasks" });
                json!({ "jsonrpc": "2.0", "id": id, "error": error })
            }
            Self::Babble => json!({ "hello": "world" }),
        };
        answer.to_string().into_bytes()
    }

    /// What is sent to the callback.
    pub(super) fn message(&self, task: &Task) -> Option<Message> {
        let token = task.callback_token.clone();
        match self {
            Self::Succeed(result) => Some(Message::success(token, result.clone())),
            Self::Fail(error) => Some(Message::failure(token, error.clone())),
            Self::Hold | Self::Refuse | Self::Babble => None,
        }
    }
}
