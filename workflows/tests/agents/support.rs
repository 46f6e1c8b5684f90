//! A small corpus, a receiver of callbacks, and a desk that dispatches tasks.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use workflows::a2a::{A2aClient, Task, TaskInput, TaskInputs, TaskKind, TaskParameters};
use workflows::agents::{AgentsConfig, EmbeddedAgents, Role};

/// Long enough for a slow machine; a test that waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const TOPIC: &str = "durable workflow checkpoint";

/// Documents on durable workflows, with a few on other things.
pub(crate) fn corpus() -> TempDir {
    let corpus = tempfile::tempdir().unwrap();
    let documents: [(&str, &str); 9] = [
        ("engine-1.0.0/Cargo.toml", "[package]\nname = \"engine\"\n"),
        (
            "engine-1.0.0/README.md",
            "# Engine\n\nA durable workflow survives the crash of its process.\n\n## Checkpoints\n\nThe engine writes a checkpoint after each step of a durable workflow.\nA checkpoint that was acknowledged is never lost.\n\n```rust\nlet workflow = \"code is no prose\";\n```\n\n## Timers\n\nA timer wakes a suspended workflow when its time has come.\n",
        ),
        (
            "engine-1.0.0/src/lib.rs",
            "//! The durable engine keeps the history of every workflow.\n\n/// Writes the checkpoint of a durable workflow to storage.\n///\n/// Storage must be synced before the checkpoint is acknowledged.\npub fn checkpoint() {}\n\nfn undocumented() { let workflow = 1; }\n",
        ),
        ("engine-2.0.0/Cargo.toml", "[package]\nname = \"engine\"\n"),
        (
            "engine-2.0.0/README.md",
            "# Engine\n\nA durable workflow survives the crash of its process.\n\n## Checkpoints\n\nThe engine writes a checkpoint after each step of a durable workflow.\nA checkpoint that was acknowledged is never lost.\n",
        ),
        (
            "guide/replay.html",
            "<html><head><title>x</title></head><body>\n<h1>Replay</h1>\n<p>On replay a durable workflow reads each checkpoint from its history\n&amp; runs no step twice.</p>\n<script>durable workflow checkpoint</script>\n</body></html>\n",
        ),
        (
            "notes/storage.txt",
            "Storage notes\n=============\n\nThe storage of a durable workflow syncs each checkpoint to the disk.\nGroup commit makes many a checkpoint share one sync of the storage.\n",
        ),
        ("notes/cooking.md", "# Soup\n\nBoil the water and add some salt to the soup.\n"),
        ("notes/LICENSE", "A durable workflow checkpoint licence text.\n"),
    ];
    for (path, text) in documents {
        write(corpus.path(), path, text);
    }
    std::fs::write(corpus.path().join("notes/binary.txt"), b"durable workflow checkpoint\0\x01").unwrap();
    corpus
}

pub(crate) fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What was posted to the receiver.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) body: Value,
    pub(crate) headers: HeaderMap,
}

/// Takes callbacks, after answering with the statuses it was told to answer with first.
pub(crate) struct Receiver {
    pub(crate) url: String,
    posted: mpsc::UnboundedReceiver<Posted>,
}

#[derive(Clone)]
struct Script {
    statuses: Arc<Mutex<VecDeque<StatusCode>>>,
    posted: mpsc::UnboundedSender<Posted>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        Self::answering(&[]).await
    }

    pub(crate) async fn answering(statuses: &[u16]) -> Self {
        let statuses = statuses.iter().map(|it| StatusCode::from_u16(*it).unwrap()).collect();
        let (sender, posted) = mpsc::unbounded_channel();
        let script = Script { statuses: Arc::new(Mutex::new(statuses)), posted: sender };
        let routes = Router::new()
            .route(
                "/callbacks",
                post(async |State(script): State<Script>, headers: HeaderMap, Json(body): Json<Value>| {
                    let status = script.statuses.lock().unwrap().pop_front().unwrap_or(StatusCode::OK);
                    let _ = script.posted.send(Posted { body, headers });
                    status
                }),
            )
            .with_state(script);
        Self { url: format!("{}callbacks", serve(routes).await), posted }
    }

    /// The next thing posted, whatever it is.
    pub(crate) async fn next(&mut self) -> Posted {
        tokio::time::timeout(PATIENCE, self.posted.recv()).await.expect("a callback in time").unwrap()
    }

    /// The next outcome; heartbeats before it are passed over.
    pub(crate) async fn outcome(&mut self) -> Value {
        loop {
            let body = self.next().await.body;
            if body["status"] != "HEARTBEAT" {
                return body;
            }
        }
    }

    pub(crate) fn has_more(&mut self) -> bool {
        self.posted.try_recv().is_ok()
    }
}

/// Serves `routes` on a loopback port until the test ends; its URL ends in a slash.
pub(crate) async fn serve(routes: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    url
}

/// A loopback URL where nobody listens.
pub(crate) async fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/callbacks", listener.local_addr().unwrap())
}

/// Agents with a corpus and a data directory of their own.
pub(crate) struct Desk {
    pub(crate) corpus: TempDir,
    pub(crate) data: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { corpus: corpus(), data: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn config(&self) -> AgentsConfig {
        AgentsConfig::new(self.data.path(), self.corpus.path())
    }

    pub(crate) async fn start(&self) -> EmbeddedAgents {
        EmbeddedAgents::start(self.config()).await.unwrap()
    }

    /// The files of tasks `role` has accepted and not yet answered.
    pub(crate) fn stored(&self, role: Role) -> Vec<PathBuf> {
        let directory = self.data.path().join("tasks").join(role.to_string());
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits until `role` has forgotten its answered tasks.
    pub(crate) async fn until_nothing_stored(&self, role: Role) {
        let emptied = async {
            while !self.stored(role).is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, emptied).await.expect("answered tasks are forgotten");
    }
}

pub(crate) fn task(kind: TaskKind, receiver: &str, token: &str) -> Task {
    Task {
        task: kind,
        topic: TOPIC.to_owned(),
        parameters: TaskParameters::default(),
        workflow_id: "wf-1".to_owned(),
        callback_url: receiver.to_owned(),
        callback_token: token.to_owned(),
        inputs: TaskInputs::default(),
    }
}

pub(crate) async fn send(agents: &EmbeddedAgents, role: Role, task: &Task) {
    let accepted = A2aClient::new().send(agents.endpoint(role), task).await.unwrap();
    assert_eq!(accepted.state, workflows::a2a::TaskState::Submitted);
}

/// Dispatches `task` and waits for its result.
pub(crate) async fn result_of(
    agents: &EmbeddedAgents,
    receiver: &mut Receiver,
    role: Role,
    task: &Task,
) -> Value {
    send(agents, role, task).await;
    let outcome = receiver.outcome().await;
    assert_eq!(outcome["status"], "SUCCESS", "{outcome}");
    assert_eq!(outcome["token"], task.callback_token.as_str());
    outcome["result"].clone()
}

/// Research, then analysis; the results of both.
pub(crate) async fn analysed(agents: &EmbeddedAgents, receiver: &mut Receiver) -> (Value, Value) {
    let research = task(TaskKind::Research, &receiver.url, "token-research");
    let found = result_of(agents, receiver, Role::Researcher, &research).await;
    let mut analyze = task(TaskKind::Analyze, &receiver.url, "token-analyze");
    analyze.inputs.research = Some(TaskInput::Inline(found.clone()));
    let analysis = result_of(agents, receiver, Role::Analyst, &analyze).await;
    (found, analysis)
}

/// The cited lines of a document as one line of text, without Markdown, HTML and comment marks.
pub(crate) fn cited_lines(corpus: &Path, file: &str, start: u64, end: u64) -> String {
    let source = std::fs::read_to_string(corpus.join(file)).unwrap();
    let (start, end) = (usize::try_from(start).unwrap(), usize::try_from(end).unwrap());
    assert!(start >= 1 && start <= end && end <= source.lines().count(), "{file}:{start}-{end}");
    let lines: Vec<&str> = source
        .lines()
        .skip(start - 1)
        .take(end - start + 1)
        .map(|line| line.trim().trim_start_matches(['/', '!', '#', '-']).trim())
        .collect();
    lines.join(" ").replace("<p>", "").replace("</p>", "").replace("&amp;", "&")
}
