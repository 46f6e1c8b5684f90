//! Callback handlers to be driven over HTTP: the one of `workflows` on this machine, and one in Python.

use std::{net::Ipv4Addr, path::Path, process::Stdio, sync::Arc, time::Duration};

use durable_cli::DevServer;
use durable_engine::{Engine, StartOptions};
use durable_runtime::{prelude::*, protocol::Payload};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};
use workflows::{
    callback::{Authentication, callback_handler},
    host::{CallbackIntake, Service},
    http,
    local::{
        A2aAgents, ArtifactDirectory, Database, Endpoints, EngineExecutions, LogAndWebhook, LoggedMetrics,
        SigningKey, SqliteCallbacks, SqliteEvents, SqliteRecords,
    },
    ports::{Change, NewRecord, Ports, Route, Settings, WorkflowId},
    research::{Parameters, Phase, ResearchInput, Status},
};

/// Any error: a bench ends with it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Waits for one callback.
#[durable_execution]
pub async fn waiter(_: u64) -> Result<Value, Error> {
    Ok(callback::<Value>("answer").timeout("1h").create().await.result().await?)
}

/// Starts executions that wait, and says the tokens they wait for.
///
/// # Errors
///
/// The engine refuses an execution.
pub async fn tokens(engine: &Engine, count: usize) -> Result<Vec<String>, Failure> {
    let mut arns = Vec::with_capacity(count);
    for _ in 0..count {
        let input = Payload::from("0".to_owned());
        arns.push(engine.start_raw("waiter", StartOptions::default(), input).await?.arn);
    }
    let mut tokens = Vec::with_capacity(count);
    for arn in arns {
        let token = loop {
            let operations = engine.operations(&arn).await?;
            let token = operations.iter().find_map(|it| it.callback_details.as_ref()?.callback_id.clone());
            match token {
                Some(token) => break token.to_string(),
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        };
        tokens.push(token);
    }
    Ok(tokens)
}

/// The handler of `workflows` with its engine and stores in `folder`.
pub struct Ours {
    /// Where it answers.
    pub url: String,
    engine: Engine,
    ports: Ports,
}

impl Ours {
    /// Starts it.
    ///
    /// # Errors
    ///
    /// The folder or a port can't be used.
    pub async fn start(folder: &Path) -> Result<Self, Failure> {
        let database = Database::open(&folder.join("records.db"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let base = format!("http://{}", listener.local_addr()?);
        let key = SigningKey::load_or_create(&folder.join("key"))?;
        let artifacts = Arc::new(ArtifactDirectory::open(folder.join("artifacts"), key, base.clone())?);
        let engine = Engine::open(folder.join("engine.db"))?;
        let executions = EngineExecutions::new(engine.clone());
        let nobody = Endpoints { researcher: base.clone(), analyst: base.clone(), writer: base.clone() };
        let ports = Ports {
            records: Arc::new(SqliteRecords::new(database.clone())),
            callbacks: Arc::new(SqliteCallbacks::new(database.clone())),
            dead_letter_queue: None,
            artifacts: artifacts.clone(),
            agents: Arc::new(A2aAgents::new(nobody)),
            notify: Arc::new(LogAndWebhook::new(None)),
            events: Arc::new(SqliteEvents::new(database)),
            executions: Arc::new(executions.clone()),
            webhooks: None,
            metrics: Arc::new(LoggedMetrics),
            settings: Settings::default(),
        };
        let handler = ports.clone();
        engine.register_workflows([
            durable_runtime::workflow(waiter),
            durable_runtime::workflow(move |request| callback_handler(handler.clone(), request)),
        ]);
        let parts = http::Parts {
            service: Arc::new(Service::new(ports.clone(), Arc::new(executions.clone()))),
            callbacks: Arc::new(CallbackIntake::new(ports.clone(), executions, Authentication::default())),
            artifacts,
        };
        let routes = http::router(parts, "bench");
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok(Self { url: format!("{base}/callbacks"), engine, ports })
    }

    /// Tokens that workflows wait for.
    ///
    /// # Errors
    ///
    /// A store can't be used.
    pub async fn tokens(&self, count: usize) -> Result<Vec<String>, Failure> {
        let tokens = tokens(&self.engine, count).await?;
        for token in &tokens {
            let id = WorkflowId::random();
            let input = ResearchInput::new("bench", Parameters::default())?;
            self.ports.records.create(NewRecord { id: id.clone(), input }).await?;
            let phase = Phase::Research;
            let waiting = Change::of(&id, "bench").to(Status::Pending).now_at(phase.await_name());
            self.ports.records.apply(waiting).await?;
            self.ports.callbacks.register(token.clone(), Route { workflow_id: id, phase }).await?;
        }
        Ok(tokens)
    }
}

/// The handler in Python, with moto as DynamoDB and the development server as Lambda.
pub struct Pythons {
    /// Where it answers.
    pub url: String,
    server: DevServer,
    client: reqwest::Client,
    base: String,
    _processes: [Child; 2],
}

impl Pythons {
    /// Starts it with an interpreter that has boto3 and moto.
    ///
    /// # Errors
    ///
    /// A process does not start.
    pub async fn start(python: &Path, folder: &Path) -> Result<Self, Failure> {
        let server = DevServer::builder().data(folder).register(waiter).start().await?;
        let (moto, dynamodb) = moto(python).await?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/callback_handler.py");
        let (handler, base) = spawn(python, &script, &[&dynamodb, &server.url()]).await?;
        let client = client()?;
        Ok(Self { url: format!("{base}/callbacks"), server, client, base, _processes: [moto, handler] })
    }

    /// Tokens that workflows wait for.
    ///
    /// # Errors
    ///
    /// The server or the handler does not answer.
    pub async fn tokens(&self, count: usize) -> Result<Vec<String>, Failure> {
        let tokens = tokens(self.server.engine(), count).await?;
        let request = self.client.post(format!("{}/register", self.base)).json(&tokens);
        request.send().await?.error_for_status()?;
        Ok(tokens)
    }
}

/// AWS's stores in memory, and where they answer.
///
/// # Errors
///
/// The interpreter does not start, or has no moto.
pub async fn moto(python: &Path) -> Result<(Child, String), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    spawn(python, &root.join("../tests/e2e/moto/server.py"), &[]).await
}

async fn spawn(python: &Path, script: &Path, arguments: &[&str]) -> Result<(Child, String), Failure> {
    let mut command = Command::new(python);
    command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", python.display()))?;
    let output = child.stdout.take().ok_or("standard output is piped")?;
    let address = BufReader::new(output).lines().next_line().await?;
    Ok((child, address.ok_or_else(|| format!("{} ended", script.display()))?))
}

/// A client that keeps its connections.
///
/// # Errors
///
/// Never, as there is nothing to load.
pub fn client() -> Result<reqwest::Client, Failure> {
    Ok(reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?)
}

/// Sends one callback and checks that it was delivered.
///
/// # Errors
///
/// It was not.
pub async fn send(client: &reqwest::Client, url: &str, token: &str) -> Result<(), Failure> {
    let result =
        json!({ "findings": [{ "text": "a sentence of a usual length, with its source", "line": 17 }] });
    let body = json!({ "token": token, "status": "SUCCESS", "result": result });
    let answer: Value = client.post(url).json(&body).send().await?.json().await?;
    if answer.get("status").and_then(Value::as_str) == Some("callback_delivered") {
        return Ok(());
    }
    Err(format!("not delivered: {answer}").into())
}
