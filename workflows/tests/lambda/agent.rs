//! The embedded agents as a function: they work over a real corpus and call back.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use durable_engine::{Engine, StartOptions};
use durable_runtime::protocol::Payload;
use serde_json::{Value, json};
use workflows::{
    a2a::{
        ArtifactReference, ArtifactType, Task, TaskInput, TaskInputs, TaskKind, TaskParameters, encode_send,
    },
    callback::{Authentication, sign},
    lambda::{Desk, agent_function},
    local::{ArtifactDirectory, SigningKey},
    ports::{Artifacts, BoxFuture, HttpPost},
};

const SECRET: &str = "0123456789abcdef";
const CALLBACKS: &str = "https://api.example/callbacks";

/// Address, headers, body.
type Post = (String, HashMap<&'static str, String>, String);

/// A callback handler that answers as it is told, and then 200.
#[derive(Default)]
struct Handler {
    answers: Mutex<VecDeque<u16>>,
    posts: Mutex<Vec<Post>>,
}

impl HttpPost for Handler {
    fn post(
        &self,
        url: String,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> BoxFuture<'_, Result<u16, String>> {
        Box::pin(async move {
            self.posts.lock().unwrap().push((url, headers.into_iter().collect(), body));
            Ok(self.answers.lock().unwrap().pop_front().unwrap_or(200))
        })
    }
}

struct Office {
    handler: Arc<Handler>,
    artifacts: Arc<ArtifactDirectory>,
    engine: Engine,
    _directory: tempfile::TempDir,
}

impl Office {
    fn open() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let corpus = directory.path().join("corpus");
        std::fs::create_dir(&corpus).unwrap();
        let text = "# Structured concurrency\n\nStructured concurrency binds the lifetime of a task to a scope. \
            A scope ends only when all of its tasks have ended.\n";
        std::fs::write(corpus.join("notes.md"), text).unwrap();
        let key = SigningKey::new(*b"test");
        let artifacts =
            ArtifactDirectory::open(directory.path().join("artifacts"), key, "http://x".to_owned());
        let artifacts = Arc::new(artifacts.unwrap());
        let handler = Arc::new(Handler::default());
        let proofs = Authentication { hmac_secret: Some(SECRET.to_owned()), ..Authentication::default() };
        let desk = Desk::new(
            &corpus,
            &directory.path().join("index"),
            artifacts.clone(),
            handler.clone(),
            CALLBACKS.to_owned(),
            proofs,
        );
        let desk = desk.unwrap();
        let engine = Engine::builder().open().unwrap();
        engine.register_workflow(durable_runtime::workflow(move |message| {
            agent_function(desk.clone(), message)
        }));
        Self { handler, artifacts, engine, _directory: directory }
    }

    async fn run(&self, message: &Value) -> durable_engine::ExecutionSummary {
        let name = StartOptions::named(uuid::Uuid::new_v4().to_string());
        let input = Payload::from(message.to_string());
        let started = self.engine.start_raw("agent_function", name, input).await.unwrap();
        self.engine.wait_for_end(&started.arn).await.unwrap()
    }

    fn posts(&self) -> Vec<Value> {
        let posts = self.handler.posts.lock().unwrap();
        posts.iter().map(|(_, _, body)| serde_json::from_str(body).unwrap()).collect()
    }

    async fn close(self) {
        self.engine.shutdown(Duration::from_secs(5)).await;
    }
}

fn message(kind: TaskKind, topic: &str, inputs: TaskInputs) -> Value {
    let task = Task {
        task: kind,
        topic: topic.to_owned(),
        parameters: TaskParameters::default(),
        workflow_id: "w".to_owned(),
        // An address that the message chose.
        callback_url: "https://elsewhere.example/".to_owned(),
        callback_token: "token".to_owned(),
        inputs,
    };
    serde_json::to_value(encode_send(&task)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_work_is_done_and_delivered_until_it_is_taken() {
    let office = Office::open();
    office.handler.answers.lock().unwrap().extend([503, 429]);
    let ended =
        office.run(&message(TaskKind::Research, "structured concurrency", TaskInputs::default())).await;
    assert_eq!(ended.error, None);
    let posts = office.posts();
    assert_eq!(posts.len(), 3);
    assert!(posts.iter().all(|post| *post == posts[0]), "each attempt says the same");
    assert_eq!((&posts[0]["token"], &posts[0]["status"]), (&json!("token"), &json!("SUCCESS")));
    assert!(posts[0]["result"]["findings"].to_string().contains("lifetime of a task"), "{}", posts[0]);
    for (url, headers, body) in office.handler.posts.lock().unwrap().iter() {
        assert_eq!(url, CALLBACKS, "only the configured address is called");
        let expected = sign(SECRET, &headers["x-callback-timestamp"], body.as_bytes());
        assert_eq!(headers["x-callback-signature"], expected);
    }
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_by_reference_is_read_from_the_store() {
    let office = Office::open();
    office.run(&message(TaskKind::Research, "structured concurrency", TaskInputs::default())).await;
    let research = office.posts()[0]["result"].to_string();
    let reference = office.artifacts.put("w/research.json".to_owned(), research.into_bytes()).await.unwrap();
    let reference = ArtifactReference {
        artifact_type: ArtifactType::S3Reference,
        s3_uri: reference.s3_uri,
        // A link that this agent can't and need not open.
        url: Some("https://127.0.0.1:9/".to_owned()),
    };
    let inputs = TaskInputs { research: Some(TaskInput::Reference(reference)), analysis: None };
    office.run(&message(TaskKind::Analyze, "structured concurrency", inputs)).await;
    let post = office.posts().pop().unwrap();
    assert_eq!(post["status"], "SUCCESS", "{post}");
    assert!(post["result"]["themes"].is_array(), "{post}");
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_done_is_said_by_callback() {
    let office = Office::open();
    office.run(&message(TaskKind::Research, "quantum chromodynamics", TaskInputs::default())).await;
    office.run(&message(TaskKind::Write, "structured concurrency", TaskInputs::default())).await;
    let kinds: Vec<_> = office.posts().iter().map(|post| post["error"]["type"].clone()).collect();
    assert_eq!(kinds, ["NothingFound", "InvalidInput"]);
    office.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_and_a_message_without_a_task_is_said_to_be_one() {
    let office = Office::open();
    office.handler.answers.lock().unwrap().push_back(400);
    let ended =
        office.run(&message(TaskKind::Research, "structured concurrency", TaskInputs::default())).await;
    assert_eq!(ended.error.unwrap().message(), "the callback was refused: HTTP status 400");
    assert_eq!(office.posts().len(), 1);
    let ended = office.run(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tasks/get" })).await;
    assert!(ended.error.unwrap().message().starts_with("this is no task: method `tasks/get`"));
    assert_eq!(office.posts().len(), 1);
    office.close().await;
}
