//! The three embedded agents as one Lambda function, for a stack without AgentCore.
//!
//! The function is invoked with the A2A message as an event, so nobody waits for it. It is durable: the work is one
//! step, and its outcome is delivered by another, for as long as it takes the callback handler to take it. It calls
//! back at its own `CALLBACK_API_URL` and not where the message says, so that no message can make it call anybody
//! else.

use std::{fmt, path::Path, sync::Arc, time::Duration, time::SystemTime};

use durable_runtime::{prelude::*, protocol::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    a2a::{Task, TaskInput, decode_send},
    agents::{AgentFailure, AgentsError, FailureKind, OnDemandAgents},
    callback::{API_KEY_HEADER, Authentication, SIGNATURE_HEADER, Signal, TIMESTAMP_HEADER, sign},
    callback::{large_result, redacted, stored_as_artifact},
    ports::{ArtifactRef, Artifacts, HttpPost, Outcome},
    retry,
};

/// How often a working agent says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// What the agents need to work.
#[derive(Clone)]
pub struct Desk {
    agents: Arc<OnDemandAgents>,
    artifacts: Arc<dyn Artifacts>,
    client: Arc<dyn HttpPost>,
    callback_url: String,
    /// What the callback handler asks its senders to prove.
    proofs: Authentication,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("agents", &self.agents).finish_non_exhaustive()
    }
}

impl Desk {
    /// Agents that research in `corpus`, with its index in `index_directory`, and answer at `callback_url`.
    ///
    /// # Errors
    ///
    /// The corpus can't be used.
    pub fn new(
        corpus: &Path,
        index_directory: &Path,
        artifacts: Arc<dyn Artifacts>,
        client: Arc<dyn HttpPost>,
        callback_url: String,
        proofs: Authentication,
    ) -> Result<Self, AgentsError> {
        let agents = Arc::new(OnDemandAgents::new(corpus, index_directory.to_owned())?);
        Ok(Self { agents, artifacts, client, callback_url, proofs })
    }

    async fn post(&self, body: &Value) -> Result<u16, String> {
        let body = body.to_string();
        let mut headers = Vec::new();
        if let Some(key) = &self.proofs.api_key {
            headers.push((API_KEY_HEADER, key.clone()));
        }
        if let Some(secret) = &self.proofs.hmac_secret {
            let seconds = Timestamp::from(SystemTime::now()).as_millis().div_euclid(1000).to_string();
            headers.push((SIGNATURE_HEADER, sign(secret, &seconds, body.as_bytes())));
            headers.push((TIMESTAMP_HEADER, seconds));
        }
        self.client.post(self.callback_url.clone(), headers, body).await
    }
}

/// Why an execution of the agent failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", content = "message", rename_all = "snake_case")]
pub enum AgentFault {
    /// What it was invoked with is no task.
    #[error("this is no task: {0}")]
    NotATask(String),
    /// The callback handler refuses the outcome for good.
    #[error("the callback was refused: {0}")]
    Refused(String),
    /// The outcome could not be delivered yet.
    #[error("the callback was not delivered: {0}")]
    Undelivered(String),
}

impl From<Interrupted> for AgentFault {
    fn from(interrupted: Interrupted) -> Self {
        Self::Undelivered(interrupted.to_string())
    }
}

/// How the work on a task ended, as its callback says it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "UPPERCASE")]
enum Done {
    Success { result: Value },
    Failure { error: AgentFailure },
}

/// Does the task of an A2A message and calls back.
#[durable_execution(name = "agent_function")]
pub async fn agent_function(desk: Desk, message: Value) -> Result<(), AgentFault> {
    let task = task_in(&message)?;
    let done = match work(&desk, &task).await {
        Ok(result) => Done::Success { result },
        Err(error) => Done::Failure { error },
    };
    deliver(&desk, &task, &done).await
}

fn task_in(message: &Value) -> Result<Task, AgentFault> {
    match decode_send(message.to_string().as_bytes()) {
        Ok((_, task)) => Ok(task),
        Err(refusal) => {
            tracing::error!(event_type = "task_refused", reason = refusal.error.message);
            Err(AgentFault::NotATask(refusal.error.message))
        }
    }
}

/// The work itself, with heartbeats while it lasts. A large result is stored before it is recorded.
#[durable_step(retry = retry::AGENT_WORK, timeout = "14m")]
async fn work(desk: &Desk, task: &Task) -> Result<Value, AgentFailure> {
    let mut task = task.clone();
    for input in [&mut task.inputs.research, &mut task.inputs.analysis] {
        fetch(desk, input).await?;
    }
    let result = with_heartbeats(desk, &task).await?;
    let signal = Signal::Outcome(Outcome::Success { result });
    if let Some(large) = large_result(&signal) {
        let stored = stored_as_artifact(&*desk.artifacts, &task.callback_token, large).await;
        return stored.map_err(|error| unavailable("the result could not be stored", &error));
    }
    let Signal::Outcome(Outcome::Success { result }) = signal else { unreachable!("made above") };
    Ok(result)
}

/// Replaces a reference by what it refers to: this agent may read the store.
async fn fetch(desk: &Desk, input: &mut Option<TaskInput>) -> Result<(), AgentFailure> {
    let Some(TaskInput::Reference(reference)) = input else { return Ok(()) };
    let invalid =
        |what: &str| AgentFailure::new(FailureKind::InvalidInput, format!("{what}: {}", reference.s3_uri));
    let plain = json!({ "artifact_type": "s3_reference", "s3_uri": reference.s3_uri });
    let artifact = ArtifactRef::from_value(&plain).ok_or_else(|| invalid("this is no reference"))?;
    let fetched = desk.artifacts.get(artifact).await;
    let fetched = fetched.map_err(|error| unavailable("an input could not be read", &error))?;
    let value = serde_json::from_slice(&fetched.bytes).map_err(|_| invalid("the artifact is not JSON"))?;
    *input = Some(TaskInput::Inline(value));
    Ok(())
}

fn unavailable(what: &str, error: &crate::ports::StoreError) -> AgentFailure {
    tracing::warn!(event_type = "storage_error", %error);
    AgentFailure::new(FailureKind::InputUnavailable, format!("{what}: {}", error.public_message()))
}

async fn with_heartbeats(desk: &Desk, task: &Task) -> Result<Value, AgentFailure> {
    let work = desk.agents.work(task);
    tokio::pin!(work);
    loop {
        tokio::select! {
            outcome = &mut work => return outcome,
            () = tokio::time::sleep(HEARTBEAT) => {
                let beat = json!({ "token": task.callback_token, "status": "HEARTBEAT" });
                tokio::select! {
                    outcome = &mut work => return outcome,
                    // A lost heartbeat is followed by the next one.
                    _ = desk.post(&beat) => {}
                }
            }
        }
    }
}

/// Delivers the outcome. The same one may arrive twice, which callbacks allow.
#[durable_step(retry = retry::AGENT_DELIVERY, timeout = "30s")]
async fn deliver(desk: &Desk, task: &Task, done: &Done) -> Result<(), AgentFault> {
    let mut body = serde_json::to_value(done).map_err(|error| AgentFault::Refused(error.to_string()))?;
    if let Some(fields) = body.as_object_mut() {
        fields.insert("token".to_owned(), Value::String(task.callback_token.clone()));
    }
    let (id, token) = (task.id(), redacted(&task.callback_token));
    match desk.post(&body).await {
        Ok(status @ 200..=299) => {
            tracing::info!(event_type = "task_answered", task = id, token, http_status = status);
            Ok(())
        }
        Ok(status @ (408 | 429 | 500..)) => Err(AgentFault::Undelivered(format!("HTTP status {status}"))),
        Ok(status) => {
            tracing::error!(event_type = "callback_refused", task = id, token, http_status = status);
            Err(AgentFault::Refused(format!("HTTP status {status}")))
        }
        Err(reason) => Err(AgentFault::Undelivered(reason)),
    }
}
