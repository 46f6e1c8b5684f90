//! What stands around a function's process in Lambda, as little as possible of it: the Runtime API that it takes its
//! invocations from, and a service that accepts every checkpoint.
//!
//! It answers from memory and at once, so that what is measured is the function.

use std::{
    io,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{Response, StatusCode, Uri},
    routing::{get, post},
    serve::ListenerExt as _,
};
use durable_runtime::protocol::InvocationOutput;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{Mutex, mpsc},
};

/// The longest that a function may take for anything.
const LIMIT: Duration = Duration::from_secs(20);

/// A function's process and its host.
pub struct Function {
    process: Child,
    invocations: mpsc::Sender<Bytes>,
    calls: mpsc::UnboundedReceiver<(Instant, Call)>,
}

/// What a function calls, as far as it matters.
enum Call {
    Next,
    Answer(Bytes),
    Checkpoint,
    Other(Uri),
}

struct Host {
    invocations: Mutex<mpsc::Receiver<Bytes>>,
    calls: mpsc::UnboundedSender<(Instant, Call)>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Function").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Function {
    /// Starts `program`. The second value is the moment just before.
    ///
    /// # Errors
    ///
    /// The program can't be started, or nothing can be listened on.
    pub async fn start(program: &Path) -> io::Result<(Self, Instant)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (invocations, receiver) = mpsc::channel(1);
        let (sender, calls) = mpsc::unbounded_channel();
        let host = Arc::new(Host { invocations: Mutex::new(receiver), calls: sender });
        let router = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(respond))
            .route("/2025-12-01/durable-executions/{arn}/checkpoint", post(checkpoint))
            .fallback(other)
            .with_state(host);
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        tokio::spawn(axum::serve(listener, router).into_future());
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_ENDPOINT_URL_LAMBDA", format!("http://{address}"))
            .envs([
                ("AWS_LAMBDA_FUNCTION_NAME", "survey"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/survey"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "1"),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "key"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true);
        let begun = Instant::now();
        let process = command.spawn()?;
        Ok((Self { process, invocations, calls }, begun))
    }

    /// The process's id.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn id(&self) -> io::Result<u32> {
        self.process.id().ok_or_else(|| io::Error::other("the function's process has ended"))
    }

    /// When the function asked for its next invocation.
    ///
    /// # Errors
    ///
    /// It did something else.
    pub async fn asks(&mut self) -> io::Result<Instant> {
        match self.call().await? {
            (moment, Call::Next) => Ok(moment),
            (_, other) => Err(unexpected(&other, "an invocation")),
        }
    }

    /// Hands out an invocation, and gives when its answer came, what it was, and how many checkpoints there were.
    ///
    /// # Errors
    ///
    /// The function reported an error, or did something that this host does not know.
    pub async fn invoke(&mut self, envelope: Bytes) -> io::Result<(Instant, InvocationOutput, usize)> {
        self.invocations.send(envelope).await.map_err(io::Error::other)?;
        let mut checkpoints = 0;
        loop {
            match self.call().await? {
                (moment, Call::Answer(body)) => {
                    return Ok((moment, serde_json::from_slice(&body)?, checkpoints));
                }
                (_, Call::Checkpoint) => checkpoints += 1,
                (_, other) => return Err(unexpected(&other, "a checkpoint or an answer")),
            }
        }
    }

    async fn call(&mut self) -> io::Result<(Instant, Call)> {
        let call = tokio::time::timeout(LIMIT, self.calls.recv()).await;
        call.ok().flatten().ok_or_else(|| io::Error::other("the function is silent"))
    }
}

fn unexpected(call: &Call, expected: &str) -> io::Error {
    let call = match call {
        Call::Next => "a request for an invocation",
        Call::Answer(_) => "an answer",
        Call::Checkpoint => "a checkpoint",
        Call::Other(uri) => uri.path(),
    };
    io::Error::other(format!("expected {expected} of the function, not {call}"))
}

impl Host {
    fn note(&self, call: Call) {
        // Fails when the bench has ended.
        let _ = self.calls.send((Instant::now(), call));
    }
}

async fn next(State(host): State<Arc<Host>>) -> Response<Body> {
    host.note(Call::Next);
    let Some(envelope) = host.invocations.lock().await.recv().await else {
        return answer(StatusCode::GONE, Body::empty());
    };
    let mut response = answer(StatusCode::OK, Body::from(envelope));
    let headers = response.headers_mut();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "4102444800000"),
        ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:eu-west-1:123456789012:function:survey:1"),
        ("lambda-runtime-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
    ] {
        headers.insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}

async fn respond(State(host): State<Arc<Host>>, body: Bytes) -> Response<Body> {
    host.note(Call::Answer(body));
    answer(StatusCode::ACCEPTED, Body::empty())
}

async fn checkpoint(State(host): State<Arc<Host>>, _body: Bytes) -> Response<Body> {
    host.note(Call::Checkpoint);
    answer(StatusCode::OK, Body::from(r#"{"CheckpointToken":"token","NewExecutionState":{"Operations":[]}}"#))
}

async fn other(State(host): State<Arc<Host>>, uri: Uri) -> Response<Body> {
    host.note(Call::Other(uri));
    answer(StatusCode::NOT_FOUND, Body::empty())
}

fn answer(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(axum::http::header::CONTENT_TYPE, json);
    response
}
