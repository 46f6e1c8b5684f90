//! One test's cloud: the engine, the two APIs on a port, and the function as a child process.

use std::{
    process::Stdio,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use axum::{Router, extract::DefaultBodyLimit};
use durable_engine::{Engine, EngineBuilder, ExecutionSummary, StartOptions};
use serde::Serialize;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

use crate::{
    rest::{self, Api, Call, Fault},
    runtime_api::{self, Answer, Invocations, Remote},
};

pub(crate) type Shared = Arc<Cloud>;

#[derive(Default)]
pub(crate) struct Cloud {
    engine: OnceLock<Engine>,
    pub(crate) api: Api,
    pub(crate) invocations: Invocations,
    lines: Mutex<Vec<Value>>,
}

impl Cloud {
    pub(crate) fn engine(&self) -> &Engine {
        self.engine.get().expect("set before the function starts")
    }
}

/// A cloud with one function.
pub(crate) struct Function {
    name: &'static str,
    cloud: Shared,
    // Killed when it is dropped.
    _process: Child,
}

impl Function {
    pub(crate) async fn start(name: &'static str) -> Self {
        Self::start_with(name, Engine::builder(), &[]).await
    }

    pub(crate) async fn start_with(
        name: &'static str,
        engine: EngineBuilder,
        variables: &[(&str, &str)],
    ) -> Self {
        let cloud = Shared::default();
        let remote = Remote { name, cloud: cloud.clone() };
        let engine = engine.workflow(Arc::new(remote)).open().unwrap();
        assert!(cloud.engine.set(engine).is_ok());

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new()
            .merge(rest::routes())
            .merge(runtime_api::routes())
            .layer(DefaultBodyLimit::disable())
            .with_state(cloud.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });

        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "bootstrap::serves", "--ignored", "--nocapture"])
            // Lambda's variables and nothing of the developer's own: no profile, no proxy, no log levels.
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .env("AWS_ENDPOINT_URL_LAMBDA", format!("http://{address}"))
            .env("AWS_LAMBDA_FUNCTION_NAME", name)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_REGION", "us-west-2")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("_HANDLER", name)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stdout = process.stdout.take().unwrap();
        let reader = cloud.clone();
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // The test harness of the child prints lines of its own.
                if let Ok(line) = serde_json::from_str(&line) {
                    reader.lines.lock().unwrap().push(line);
                }
            }
        });
        Self { name, cloud, _process: process }
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.cloud.engine()
    }

    /// Lets the next checkpoints of the function fail, one after the other.
    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.cloud.api.checkpoint_faults.lock().unwrap().extend(faults);
    }

    /// Lets the next reads of the state fail, one after the other.
    pub(crate) fn fail_next_read(&self, faults: impl IntoIterator<Item = Fault>) {
        self.cloud.api.state_faults.lock().unwrap().extend(faults);
    }

    pub(crate) async fn execute(&self, input: impl Serialize) -> ExecutionSummary {
        let arn = self.begin(input).await;
        self.end_of(&arn).await
    }

    pub(crate) async fn begin(&self, input: impl Serialize) -> String {
        let input = serde_json::to_string(&input).unwrap();
        let options = StartOptions::default();
        self.engine().start_raw(self.name, options, input.into()).await.unwrap().arn
    }

    pub(crate) async fn end_of(&self, arn: &str) -> ExecutionSummary {
        let end = self.engine().wait_for_end(arn);
        tokio::time::timeout(Duration::from_secs(60), end).await.expect("the execution ends").unwrap()
    }

    /// Invokes the function with something else than a durable invocation.
    pub(crate) async fn invoke(&self, event: &Value) -> Answer {
        let answer = self.cloud.invocations.invoke("direct".to_owned(), event.to_string());
        tokio::time::timeout(Duration::from_secs(60), answer).await.expect("the function answers")
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.cloud.api.calls.lock().unwrap().clone()
    }

    /// The function errors among the answers.
    pub(crate) fn errors(&self) -> Vec<Value> {
        let answers = self.cloud.invocations.answers.lock().unwrap();
        answers.iter().filter_map(|answer| answer.clone().err()).collect()
    }

    pub(crate) fn answers(&self) -> Vec<Answer> {
        self.cloud.invocations.answers.lock().unwrap().clone()
    }

    pub(crate) async fn first_answer(&self) -> Answer {
        for _ in 0..200 {
            if let Some(answer) = self.answers().into_iter().next() {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the function gave no answer");
    }

    pub(crate) fn peak(&self) -> usize {
        *self.cloud.invocations.peak.lock().unwrap()
    }

    /// The log lines that the function has written, once one of them is `wanted`.
    pub(crate) async fn log_with(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        for _ in 0..200 {
            let lines = self.cloud.lines.lock().unwrap().clone();
            if lines.iter().any(&wanted) {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the line never came: {:?}", self.cloud.lines.lock().unwrap());
    }
}
