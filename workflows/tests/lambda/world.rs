//! The stores on a temporary directory, a scripted durable execution service, and the faces of the callback handler.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use durable_engine::{Engine, ExecutionStatus, ListFilter, StartOptions};
use durable_runtime::protocol::{ErrorObject, Payload};
use serde_json::{Value, json};
use workflows::{
    callback::{Authentication, WebhookSender, callback_handler},
    host::{CallbackIntake, Service},
    http,
    lambda::{CallbackEndpoint, callback_function},
    local::{
        A2aAgents, ArtifactDirectory, Database, DeadLetterDirectory, Endpoints, EngineExecutions,
        LogAndWebhook, SigningKey, SqliteCallbacks, SqliteEvents, SqliteRecords,
    },
    ports::{
        BoxFuture, DeliveryFailure, Executions, Metric, Metrics, Ports, Settings, StoreError, WorkflowId,
    },
    research::Job,
};

/// How the durable execution service answers for a token; one that it has no script for is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// It waits.
    Open,
    /// It is closed.
    Closed,
    /// The service is down.
    Down,
}

#[derive(Default)]
pub struct ScriptedExecutions {
    pub scripts: Mutex<HashMap<String, Script>>,
    /// What was taken, by token.
    pub taken: Mutex<Vec<(String, Result<String, ErrorObject>)>>,
    pub heartbeats: Mutex<usize>,
    pub started: Mutex<Vec<Job>>,
}

impl ScriptedExecutions {
    fn script(&self, token: &str) -> Result<(), DeliveryFailure> {
        match self.scripts.lock().unwrap().get(token) {
            None => Err(DeliveryFailure::Unknown),
            Some(Script::Open) => Ok(()),
            Some(Script::Closed) => Err(DeliveryFailure::Closed),
            Some(Script::Down) => Err(DeliveryFailure::Unavailable("down, at /secret/path".into())),
        }
    }

    fn complete(&self, token: String, outcome: Result<String, ErrorObject>) -> Result<(), DeliveryFailure> {
        self.script(&token)?;
        let mut taken = self.taken.lock().unwrap();
        match taken.iter().find(|(known, _)| *known == token) {
            None => {
                taken.push((token, outcome));
                Ok(())
            }
            Some((_, before)) if *before == outcome => Err(DeliveryFailure::Repeated),
            Some(_) => Err(DeliveryFailure::Closed),
        }
    }
}

impl Executions for ScriptedExecutions {
    fn start(&self, job: Job) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let mut started = self.started.lock().unwrap();
            if started.iter().all(|known| known.workflow_id != job.workflow_id) {
                started.push(job);
            }
            Ok(())
        })
    }
    fn stop(&self, _: WorkflowId) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
    fn ended(&self, _: WorkflowId) -> BoxFuture<'_, Result<Option<String>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
    fn succeed(&self, token: String, result: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move { self.complete(token, Ok(result)) })
    }
    fn fail(&self, token: String, error: ErrorObject) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move { self.complete(token, Err(error)) })
    }
    fn heartbeat(&self, token: String) -> BoxFuture<'_, Result<(), DeliveryFailure>> {
        Box::pin(async move {
            self.script(&token)?;
            *self.heartbeats.lock().unwrap() += 1;
            Ok(())
        })
    }
}

#[derive(Default)]
pub struct CountedMetrics(pub Mutex<Vec<Metric>>);

impl Metrics for CountedMetrics {
    fn publish(&self, _: &str, metrics: &[Metric]) {
        self.0.lock().unwrap().extend_from_slice(metrics);
    }
}

/// Where a request comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The server of one machine.
    LocalHttp,
    /// A REST API, payload format 1.0.
    RestApi,
    /// An HTTP API, payload format 2.0, with its body in base64.
    HttpApi,
}

impl Face {
    pub const ALL: [Self; 3] = [Self::LocalHttp, Self::RestApi, Self::HttpApi];
}

/// A callback handler behind one face.
pub struct World {
    pub executions: Arc<ScriptedExecutions>,
    pub metrics: Arc<CountedMetrics>,
    pub ports: Ports,
    pub engine: Engine,
    face: Face,
    url: String,
    client: reqwest::Client,
    directory: tempfile::TempDir,
}

impl World {
    pub async fn new(face: Face, authentication: Authentication) -> Self {
        Self::with_webhooks(face, authentication, |ports, _| (ports, None)).await
    }

    /// `webhooks` may complete the ports before anything uses them.
    pub async fn with_webhooks(
        face: Face,
        authentication: Authentication,
        webhooks: impl FnOnce(Ports, &Engine) -> (Ports, Option<WebhookSender>),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = Database::open(&directory.path().join("records.db")).unwrap();
        let key = SigningKey::new(*b"test");
        let base_url = "http://127.0.0.1:9".to_owned();
        let artifacts = ArtifactDirectory::open(directory.path().join("artifacts"), key, base_url.clone());
        let artifacts = Arc::new(artifacts.unwrap());
        let executions = Arc::new(ScriptedExecutions::default());
        let metrics = Arc::new(CountedMetrics::default());
        let nowhere = || base_url.clone();
        let endpoints = Endpoints { researcher: nowhere(), analyst: nowhere(), writer: nowhere() };
        let ports = Ports {
            records: Arc::new(SqliteRecords::new(database.clone())),
            callbacks: Arc::new(SqliteCallbacks::new(database.clone())),
            dead_letter_queue: Some(Arc::new(DeadLetterDirectory::new(
                directory.path().join("dead-letters"),
            ))),
            artifacts: artifacts.clone(),
            agents: Arc::new(A2aAgents::new(endpoints)),
            notify: Arc::new(LogAndWebhook::new(None)),
            events: Arc::new(SqliteEvents::new(database)),
            executions: executions.clone(),
            webhooks: None,
            metrics: metrics.clone(),
            settings: Settings::default(),
        };
        let engine = Engine::builder().open().unwrap();
        let (ports, sender) = webhooks(ports, &engine);
        let handler = ports.clone();
        engine.register_workflow(durable_runtime::workflow(move |request| {
            callback_handler(handler.clone(), request)
        }));
        let endpoint = CallbackEndpoint {
            ports: ports.clone(),
            authentication: authentication.clone(),
            webhooks: sender,
        };
        engine.register_workflow(durable_runtime::workflow(move |event| {
            callback_function(endpoint.clone(), event)
        }));
        let runner = EngineExecutions::new(engine.clone());
        let parts = http::Parts {
            service: Arc::new(Service::new(ports.clone(), Arc::new(runner.clone()))),
            callbacks: Arc::new(CallbackIntake::new(ports.clone(), runner, authentication)),
            artifacts,
        };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}/callbacks", listener.local_addr().unwrap());
        let routes = http::router(parts, "test");
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { executions, metrics, ports, engine, face, url, client, directory }
    }

    pub fn script(&self, token: &str, script: Script) {
        self.executions.scripts.lock().unwrap().insert(token.to_owned(), script);
    }

    /// Sends a body with headers to `POST /callbacks`.
    pub async fn send(&self, headers: &[(&str, &str)], body: &[u8]) -> (u16, Value) {
        match self.face {
            Face::LocalHttp => {
                let mut request = self.client.post(&self.url).body(body.to_vec());
                for (name, value) in headers {
                    request = request.header(*name, *value);
                }
                let answer = request.send().await.unwrap();
                let status = answer.status().as_u16();
                self.settled().await;
                (status, answer.json().await.unwrap())
            }
            face => {
                let answer = self.invoke(&gateway_event(face, headers, body)).await;
                assert_eq!(answer["headers"]["content-type"], "application/json");
                assert_eq!(answer["isBase64Encoded"], false);
                let status = u16::try_from(answer["statusCode"].as_u64().unwrap()).unwrap();
                (status, serde_json::from_str(answer["body"].as_str().unwrap()).unwrap())
            }
        }
    }

    pub async fn callback(&self, body: &Value) -> (u16, Value) {
        self.send(&[("content-type", "application/json")], body.to_string().as_bytes()).await
    }

    /// Invokes the callback function as Lambda would, and waits for its result.
    pub async fn invoke(&self, event: &Value) -> Value {
        let name = StartOptions::named(uuid::Uuid::new_v4().to_string());
        let input = Payload::from(event.to_string());
        let started = self.engine.start_raw("callback_function", name, input).await.unwrap();
        let ended = self.engine.wait_for_end(&started.arn).await.unwrap();
        let result = ended.result.unwrap_or_else(|| panic!("{:?}", ended.error));
        serde_json::from_str(&result).unwrap()
    }

    /// Waits for what handlers note after their senders were answered.
    async fn settled(&self) {
        let function = Some("callback_handler".to_owned());
        let running =
            ListFilter { function, statuses: vec![ExecutionStatus::Running], ..ListFilter::default() };
        for execution in self.engine.list(running).await.unwrap().executions {
            self.engine.wait_for_end(&execution.arn).await.unwrap();
        }
    }

    /// How many rows the stores have of callbacks and dead letters.
    pub fn stored(&self) -> usize {
        ["callback_results", "callback_history", "dead_letters"].iter().map(|table| self.rows(table)).sum()
    }

    pub fn rows(&self, table: &str) -> usize {
        let count = format!("SELECT count(*) FROM {table}");
        self.database().query_row(&count, [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
    }

    /// The records database, from outside.
    pub fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.directory.path().join("records.db")).unwrap()
    }

    pub fn artifacts(&self) -> PathBuf {
        self.directory.path().join("artifacts")
    }

    /// How many executions of the handler the engine of one machine has.
    pub async fn handler_executions(&self) -> usize {
        let list = self.engine.list(ListFilter::default()).await.unwrap();
        list.executions.iter().filter(|it| it.function == "callback_handler").count()
    }

    pub async fn shutdown(self) {
        self.engine.shutdown(Duration::from_secs(5)).await;
    }
}

/// What a gateway makes of a request.
pub fn gateway_event(face: Face, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let text = std::str::from_utf8(body).ok();
    if face == Face::RestApi {
        // As clients write them.
        let headers: HashMap<_, _> =
            headers.iter().map(|(name, value)| (capitalised(name), *value)).collect();
        return json!({
            "resource": "/callbacks", "path": "/callbacks", "httpMethod": "POST", "headers": headers,
            "queryStringParameters": null, "requestContext": { "requestId": uuid(), "stage": "prod" },
            "body": text.map_or_else(|| STANDARD.encode(body), str::to_owned), "isBase64Encoded": text.is_none(),
        });
    }
    let headers: HashMap<_, _> = headers.iter().copied().collect();
    json!({
        "version": "2.0", "routeKey": "POST /callbacks", "rawPath": "/callbacks", "rawQueryString": "",
        "headers": headers, "body": STANDARD.encode(body), "isBase64Encoded": true,
        "requestContext": {
            "requestId": uuid(), "stage": "$default", "http": { "method": "POST", "path": "/callbacks" },
        },
    })
}

fn capitalised(name: &str) -> String {
    name.split('-')
        .map(|part| format!("{}{}", part[..1].to_uppercase(), &part[1..]))
        .collect::<Vec<_>>()
        .join("-")
}

fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}
