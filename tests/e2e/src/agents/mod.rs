//! Agents that do what a scenario tells them: they stand before the agents' function of the stack, and pass on every
//! task that has no script.

mod script;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderValue, Response, StatusCode},
    routing::post,
};
use serde_json::Value;
use tokio::sync::mpsc;

pub use script::{Behaviour, Task};

use crate::{api::Callbacks, invoke::Invoke};

/// The kinds of tasks, by phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The researcher's.
    Research,
    /// The analyst's.
    Analysis,
    /// The writer's.
    Writing,
}

impl Phase {
    fn of_task(task: &str) -> Option<Self> {
        match task {
            "research" => Some(Self::Research),
            "analyze" => Some(Self::Analysis),
            "write" => Some(Self::Writing),
            _ => None,
        }
    }
}

/// The scripted agents, as long as this value lives.
#[derive(Debug)]
pub struct Agents {
    url: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

/// What an agent does, and who wants to see its tasks.
#[derive(Clone, Debug)]
struct Script {
    behaviour: Behaviour,
    tasks: mpsc::UnboundedSender<Task>,
}

#[derive(Debug)]
struct Shared {
    /// By topic and phase.
    scripts: Mutex<HashMap<(String, Phase), Script>>,
    callbacks: Callbacks,
    lambda: OnceLock<Invoke>,
}

impl Agents {
    /// Starts to listen. Tasks are passed on once [`connect`](Self::connect) has said to whom.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn start() -> Result<Self> {
        let listener =
            tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("the agents get no port")?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            scripts: Mutex::default(),
            callbacks: Callbacks::new()?,
            lambda: OnceLock::new(),
        });
        let router = Router::new()
            .route("/functions/{function}", post(event))
            .route("/runtimes/{runtime}/invocations", post(runtime))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            // Ends with the task only.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { url, shared, server })
    }

    /// The endpoint of a Lambda function that passes its events on to `function`.
    #[must_use]
    pub fn before(&self, function: &str) -> String {
        format!("{}/functions/{function}", self.url)
    }

    /// The endpoint of Bedrock AgentCore, with one runtime for each function that tasks are passed on to.
    #[must_use]
    pub fn agentcore(&self) -> &str {
        &self.url
    }

    /// The ARN of the runtime that passes its tasks on to `function`.
    #[must_use]
    pub fn runtime_arn(function: &str) -> String {
        format!("arn:aws:bedrock-agentcore:us-east-1:000000000000:runtime/{function}")
    }

    /// Says where functions are invoked.
    pub fn connect(&self, lambda: Invoke) {
        let _ = self.shared.lambda.set(lambda);
    }

    /// Says what the agent of a phase does with tasks about `topic`, and gives the tasks as they come.
    pub fn script(&self, topic: &str, phase: Phase, behaviour: Behaviour) -> mpsc::UnboundedReceiver<Task> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut scripts = self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.insert((topic.to_owned(), phase), Script { behaviour, tasks: sender });
        receiver
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An event for a Lambda function: nobody reads the answer.
async fn event(
    State(shared): State<Arc<Shared>>,
    Path(function): Path<String>,
    payload: Bytes,
) -> Response<Body> {
    if shared.play(&payload).is_none() {
        shared.pass_on(function, payload);
    }
    json(StatusCode::OK, b"null".to_vec())
}

/// AgentCore's InvokeAgentRuntime: the answer is the agent's.
async fn runtime(
    State(shared): State<Arc<Shared>>,
    Path(arn): Path<String>,
    payload: Bytes,
) -> Response<Body> {
    let answer = shared.play(&payload).unwrap_or_else(|| {
        let function = arn.rsplit_once('/').map_or(arn.as_str(), |(_, name)| name).to_owned();
        let request = serde_json::from_slice(&payload).unwrap_or_default();
        shared.pass_on(function, payload);
        Behaviour::Hold.answer(&request)
    });
    json(StatusCode::OK, answer)
}

impl Shared {
    /// Does what the script of a task says, and gives the answer; none without a script.
    fn play(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let request: Value = serde_json::from_slice(payload).ok()?;
        let task = Task::of_request(&request)?;
        let Script { behaviour, tasks } = {
            let scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
            scripts.get(&(task.topic.clone(), task.phase))?.clone()
        };
        // Scenarios that don't look at tasks have dropped their end.
        let _ = tasks.send(task.clone());
        if let Some(message) = behaviour.message(&task) {
            let callbacks = self.callbacks.clone();
            tokio::spawn(async move { callbacks.deliver(&task.callback_url, &message).await });
        }
        Some(behaviour.answer(&request))
    }

    /// As Lambda does with events: a function that fails is tried twice more.
    fn pass_on(&self, function: String, payload: Bytes) {
        let Some(lambda) = self.lambda.get().cloned() else { return };
        tokio::spawn(async move {
            for _ in 0..3 {
                if lambda.call(&function, payload.clone()).await.is_ok() {
                    return;
                }
            }
        });
    }
}

fn json(status: StatusCode, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(axum::http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
