//! A server, an HTTP client, and workflows that tests run by hand.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of what is public here")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use durable_cli::{DevServer, FunctionConfig};
use durable_runtime::{
    environment::Environment,
    protocol::{InvocationInput, InvocationOutput},
    service::BoxFuture,
    workflow::{InvocationError, SharedWorkflow, Workflow},
};
use reqwest::{Method, header::HeaderMap};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

/// The longest that anything in these tests takes, by far.
pub const LIMIT: Duration = Duration::from_secs(30);

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The JSON of an answer with status 200.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Checks the three places where a refusal says what it is, and gives its message.
    #[track_caller]
    pub fn refused(&self, status: u16, exception: &str, member: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.header("x-amzn-ErrorType"), Some(exception));
        let body = self.json();
        assert_eq!(body["Type"], if status < 500 { "User" } else { "Service" });
        body[member].as_str().unwrap_or_else(|| panic!("no {member} in {body}")).to_owned()
    }
}

/// A client that sends exactly what a test says.
pub struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    pub fn new(base: String) -> Self {
        Self { base, http: reqwest::Client::new() }
    }

    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).body(body.to_vec());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.timeout(LIMIT).send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        assert!(headers.contains_key("x-amzn-requestid"), "every answer has a request id");
        Answer { status, headers, text: response.text().await.expect("answers are text") }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], b"").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.send(Method::POST, path, &headers, body.to_string().as_bytes()).await
    }

    /// Starts an execution by an event, with a name if there is one, and gives its ARN.
    pub async fn start(&self, function: &str, name: Option<&str>, input: &Value) -> String {
        let mut headers = vec![("X-Amz-Invocation-Type", "Event")];
        headers.extend(name.map(|name| ("X-Amz-Durable-Execution-Name", name)));
        let answer = self.invoke(function, &headers, input.to_string().as_bytes()).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        answer.header("x-amz-durable-execution-arn").expect("an ARN").to_owned()
    }

    pub async fn invoke(&self, function: &str, headers: &[(&str, &str)], payload: &[u8]) -> Answer {
        let path = format!("/2015-03-31/functions/{function}/invocations?Qualifier=%24LATEST");
        self.send(Method::POST, &path, headers, payload).await
    }

    /// Invokes a function synchronously with a script, and gives its result.
    pub async fn run(&self, function: &str, input: &Value) -> Value {
        let answer = self.invoke(function, &[], input.to_string().as_bytes()).await;
        assert_eq!(answer.header("x-amz-function-error"), None, "{}", answer.text);
        answer.ok()
    }

    pub async fn execution(&self, arn: &str) -> Value {
        self.get(&execution_path(arn, "")).await.ok()
    }

    /// The types of an execution's events.
    pub async fn event_types(&self, arn: &str) -> Vec<String> {
        let events = self.events(arn).await;
        events.iter().map(|event| event["EventType"].as_str().expect("a type").to_owned()).collect()
    }

    pub async fn events(&self, arn: &str) -> Vec<Value> {
        let history =
            self.get(&execution_path(arn, "/history?IncludeExecutionData=true&MaxItems=1000")).await.ok();
        history["Events"].as_array().expect("events").clone()
    }

    /// Waits until the execution has ended.
    pub async fn ended(&self, arn: &str) -> Value {
        self.until(arn, |execution| execution["Status"] != "RUNNING").await
    }

    pub async fn until(&self, arn: &str, what: impl Fn(&Value) -> bool) -> Value {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let execution = self.execution(arn).await;
            if what(&execution) {
                return execution;
            }
            assert!(tokio::time::Instant::now() < deadline, "still {execution}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for an event of this type, and gives the first one.
    pub async fn event(&self, arn: &str, event_type: &str) -> Value {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            let events = self.events(arn).await;
            if let Some(event) = events.iter().find(|event| event["EventType"] == event_type) {
                return event.clone();
            }
            assert!(tokio::time::Instant::now() < deadline, "no {event_type} in {events:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The id of the execution's first callback, once there is one.
    pub async fn callback_id(&self, arn: &str) -> String {
        let event = self.event(arn, "CallbackStarted").await;
        event["CallbackStartedDetails"]["CallbackId"].as_str().expect("an id").to_owned()
    }
}

/// A path segment, encoded as AWS clients do.
pub fn encode(segment: &str) -> String {
    let mut text = String::new();
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

pub fn execution_path(arn: &str, rest: &str) -> String {
    format!("/2025-12-01/durable-executions/{}{rest}", encode(arn))
}

pub fn callback_path(id: &str, what: &str) -> String {
    format!("/2025-12-01/durable-execution-callbacks/{}/{what}", encode(id))
}

/// The function that does what its input says.
pub fn scripted() -> FunctionConfig {
    FunctionConfig::command([env!("CARGO_BIN_EXE_scripted-function")])
}

/// A server with that function under the name `f`, and a client for it.
pub async fn server_with(config: FunctionConfig) -> (DevServer, Client) {
    let server = DevServer::builder().function("f", config).start().await.expect("the server starts");
    let client = Client::new(server.url());
    (server, client)
}

/// A workflow whose invocations are answered by the test.
pub struct ByHand {
    name: &'static str,
    invocations: mpsc::UnboundedSender<Invocation>,
}

/// An invocation that waits for its answer.
pub struct Invocation {
    pub input: InvocationInput,
    answer: oneshot::Sender<InvocationOutput>,
}

impl Invocation {
    pub fn answer(self, output: InvocationOutput) {
        drop(self.answer.send(output));
    }

    pub fn succeed(self, result: &str) {
        self.answer(InvocationOutput::Succeeded { result: Some(result.into()) });
    }
}

/// The invocations of a workflow, as they come.
pub struct Invocations(Mutex<mpsc::UnboundedReceiver<Invocation>>);

impl Invocations {
    pub async fn next(&self) -> Invocation {
        let deadline = tokio::time::Instant::now() + LIMIT;
        loop {
            if let Ok(invocation) = self.0.lock().expect("no test panicked here").try_recv() {
                return invocation;
            }
            assert!(tokio::time::Instant::now() < deadline, "no invocation came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub fn by_hand(name: &'static str) -> (SharedWorkflow, Invocations) {
    let (invocations, receiver) = mpsc::unbounded_channel();
    (Arc::new(ByHand { name, invocations }), Invocations(Mutex::new(receiver)))
}

impl Workflow for ByHand {
    fn name(&self) -> &str {
        self.name
    }

    fn invoke(
        &self,
        input: InvocationInput,
        _environment: Environment,
    ) -> BoxFuture<'static, Result<InvocationOutput, InvocationError>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.invocations.send(Invocation { input, answer });
        Box::pin(async move {
            sent.expect("the test listens");
            Ok(answered.await.expect("the test answers"))
        })
    }
}

/// A server with a workflow that is run by hand, under the name `f`.
pub async fn server_by_hand() -> (DevServer, Client, Invocations) {
    let (workflow, invocations) = by_hand("f");
    let server = DevServer::builder().workflow(workflow).start().await.expect("the server starts");
    let client = Client::new(server.url());
    (server, client, invocations)
}
