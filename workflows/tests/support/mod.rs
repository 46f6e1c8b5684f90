//! A process on a temporary directory, with agents that do what a test says.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test binary uses its own part of this")]

use std::{net::Ipv4Addr, path::Path, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, routing::post};
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use workflows::{
    callback::Authentication,
    config::Config,
    host::{AgentChoice, DataDir, Host, HostOptions},
};

/// Long enough for a loaded machine, short enough to notice.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Agents that accept every task and hand it to the test.
pub struct ScriptedAgents {
    pub url: String,
    tasks: Mutex<mpsc::UnboundedReceiver<Value>>,
}

impl ScriptedAgents {
    pub async fn start() -> Arc<Self> {
        let (sender, tasks) = mpsc::unbounded_channel();
        let accept = |State(sender): State<mpsc::UnboundedSender<Value>>, Json(request): Json<Value>| async move {
            let text = request["params"]["message"]["parts"][0]["text"].as_str().unwrap().to_owned();
            sender.send(serde_json::from_str(&text).unwrap()).unwrap();
            let result = json!({ "id": request["params"]["id"], "status": { "state": "submitted" } });
            Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
        };
        let routes = Router::new().route("/", post(accept)).with_state(sender);
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Arc::new(Self { url, tasks: Mutex::new(tasks) })
    }

    pub async fn next_task(&self) -> Value {
        let mut tasks = self.tasks.lock().await;
        tokio::time::timeout(PATIENCE, tasks.recv()).await.expect("a task is dispatched").unwrap()
    }

    pub async fn is_idle(&self) -> bool {
        self.tasks.lock().await.try_recv().is_err()
    }
}

pub struct TestHost {
    pub host: Host,
    pub agents: Arc<ScriptedAgents>,
    pub url: String,
    client: reqwest::Client,
}

impl TestHost {
    pub async fn start(directory: &Path) -> Self {
        Self::start_with(directory, ScriptedAgents::start().await, Authentication::default()).await
    }

    pub async fn start_with(
        directory: &Path,
        agents: Arc<ScriptedAgents>,
        authentication: Authentication,
    ) -> Self {
        let mut config = Config::read(|_| None).unwrap();
        config.authentication = authentication;
        Self::start_configured(directory, agents, config).await
    }

    pub async fn start_configured(directory: &Path, agents: Arc<ScriptedAgents>, config: Config) -> Self {
        let choice = AgentChoice {
            researcher: Some(agents.url.clone()),
            analyst: Some(agents.url.clone()),
            writer: Some(agents.url.clone()),
            ..AgentChoice::default()
        };
        let directory = DataDir::create(directory).unwrap();
        let options = HostOptions { directory, config, agents: choice, port: None };
        let host = Host::start(options).await.unwrap();
        let url = host.url().unwrap();
        Self { host, agents, url, client: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(self.request("GET", path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(self.request("POST", path).body(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> (u16, Value) {
        self.send(self.request("DELETE", path)).await
    }

    pub async fn callback(&self, body: &Value) -> (u16, Value) {
        self.post("/callbacks", body).await
    }

    /// Starts a workflow and returns its id.
    pub async fn start_workflow(&self, topic: &str) -> String {
        let (status, body) = self.post("/workflows", &json!({ "topic": topic })).await;
        assert_eq!(status, 202, "{body}");
        body["workflow_id"].as_str().unwrap().to_owned()
    }

    /// Starts a workflow and returns its id with the token of its first task.
    pub async fn start_to_first_task(&self, topic: &str) -> (String, String) {
        let id = self.start_workflow(topic).await;
        let task = self.agents.next_task().await;
        assert_eq!(task["task"], "research");
        (id, token_of(&task))
    }

    /// Brings a workflow to the point where a person has to decide.
    pub async fn start_to_approval(&self, topic: &str) -> String {
        let (id, token) = self.start_to_first_task(topic).await;
        self.succeed(&token, &json!({ "findings": ["one"] })).await;
        let task = self.agents.next_task().await;
        assert_eq!(task["task"], "analyze");
        self.succeed(&token_of(&task), &json!({ "themes": ["two"] })).await;
        self.until_status(&id, "AWAITING_APPROVAL").await;
        id
    }

    pub async fn succeed(&self, token: &str, result: &Value) {
        let body = json!({ "token": token, "status": "SUCCESS", "result": result });
        let (status, answer) = self.callback(&body).await;
        assert_eq!((status, &answer["status"]), (200, &json!("callback_delivered")), "{answer}");
    }

    /// Polls, as a client of the API has to.
    pub async fn until_status(&self, id: &str, expected: &str) -> Value {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (_, workflow) = self.get(&format!("/workflows/{id}")).await;
            if workflow["status"] == expected {
                return workflow;
            }
            assert!(tokio::time::Instant::now() < deadline, "never {expected}: {workflow}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The operations of a workflow's execution as `name STATUS`.
    pub async fn operations(&self, id: &str) -> Vec<String> {
        let (_, view) = self.get(&format!("/workflows/{id}/operations")).await;
        let operations = view["operations"].as_array().unwrap().iter();
        operations
            .map(|it| format!("{} {}", it["name"].as_str().unwrap(), it["status"].as_str().unwrap()))
            .collect()
    }

    pub async fn shutdown(self) {
        self.host.shutdown().await;
    }
}

pub fn token_of(task: &Value) -> String {
    task["callback_token"].as_str().unwrap().to_owned()
}
