//! One process that serves one function, one invocation after the other.

use std::{
    io,
    net::Ipv4Addr,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::body::Bytes;
use durable_engine::service::{RUNTIME_EXIT_ERROR, function_arn};
use durable_runtime::protocol::ErrorObject;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    sync::{mpsc, oneshot, watch},
    time::{sleep, timeout},
};
use uuid::Uuid;

use super::{
    Call, failure,
    group::Group,
    output::Output,
    pool::ProcessSettings,
    runtime_api::{Assignment, Reply, RuntimeApi},
    variables::variables,
};
use crate::{
    http::{self, Limits},
    logs::LogStore,
};

/// One program speaks to a Runtime API, over a connection or two.
const LIMITS: Limits = Limits { connections: 16, patience: Duration::from_secs(60) };

/// The least time that a process gets to ask for its first invocation.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long a process may take to end by itself once it was asked to.
const STOP_LIMIT: Duration = Duration::from_millis(500);
/// An answer that was sent just before the process ended may arrive after its end.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// A process. Dropping it kills the process and everything it started.
pub(super) struct Instance {
    /// Its pool's generation when it was started.
    pub(super) generation: u64,
    timeout: Duration,
    assignments: mpsc::Sender<Assignment>,
    api: Arc<RuntimeApi>,
    output: Arc<Output>,
    stop: watch::Sender<Stop>,
    exited: watch::Receiver<Option<Exit>>,
}

/// `None` inside when the system does not know how it ended.
type Exit = Option<ExitStatus>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    Gently,
    Now,
}

/// Why an invocation did not get an answer from this process.
pub(super) enum RunError {
    /// The process never took it: another one may.
    NotTaken(ErrorObject),
    /// The process took it, and failed or reported an error.
    Failed(ErrorObject),
}

impl Instance {
    /// Starts a process. `alive` is held until it has ended.
    pub(super) async fn start<Alive: Send + 'static>(
        settings: &ProcessSettings,
        logs: &LogStore,
        generation: u64,
        alive: Alive,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        // A group of its own: an interrupt at the terminal is ours to pass on, and it can be killed whole.
        let group = Group::form()?;
        let mut command = Command::new(&settings.program);
        command
            .args(&settings.arguments)
            .current_dir(&settings.directory)
            .envs(variables(settings, listener.local_addr()?))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = group.take_in(&mut command).spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("the process has no stdout"))?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("the process has no stderr"))?;
        let output = Arc::new(Output::new(&settings.name, logs, stdout, stderr)?);
        tracing::debug!(function = settings.name, pid = child.id(), "cold start");

        let (assignments, receiver) = mpsc::channel(1);
        let function_arn = function_arn(&settings.region, &settings.name);
        let api = RuntimeApi::new(function_arn, settings.timeout, Arc::clone(&output), receiver);
        let answering = Arc::clone(&api);
        let serving = tokio::spawn(http::serve(listener, LIMITS, move |request| {
            let api = Arc::clone(&answering);
            async move { api.answer(request).await }
        }));
        let (stop, stopping) = watch::channel(Stop::No);
        let (exit, exited) = watch::channel(None);
        tokio::spawn(async move {
            let status = supervise(child, &group, stopping).await;
            // Nobody waits for its end: fine.
            let _ = exit.send(Some(status));
            group.end().await;
            drop(alive);
            // Its last words may still be on their way.
            sleep(LAST_WORDS).await;
            serving.abort();
        });
        Ok(Self { generation, timeout: settings.timeout, assignments, api, output, stop, exited })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.exited.borrow().is_none() && *self.stop.borrow() == Stop::No
    }

    /// Asks the process to end, and kills it when it does not.
    pub(super) async fn end(&self) {
        self.stop.send_replace(Stop::Gently);
        self.exit().await;
    }

    /// Kills the process. It is gone before anybody hears of it, so that the next attempt has no rival; one that the
    /// system can't end is not waited for.
    async fn kill(&self) {
        self.stop.send_replace(Stop::Now);
        let _ = timeout(STOP_LIMIT, self.exit()).await;
    }

    /// Runs one invocation. After a failure the process may be dead: see [`Self::is_alive`].
    pub(super) async fn run(&self, call: Call) -> Result<Bytes, RunError> {
        let request_id = call.request_id;
        let (taken, was_taken) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        let assignment = Assignment { call, taken, reply };
        self.hand_over(assignment, was_taken, request_id).await.map_err(RunError::NotTaken)?;
        let answer = self.answer(answer, request_id).await;
        self.output.settle().await;
        answer.map_err(RunError::Failed)
    }

    /// Ready once the process has taken the assignment.
    async fn hand_over(
        &self,
        assignment: Assignment,
        was_taken: oneshot::Receiver<()>,
        request_id: Uuid,
    ) -> Result<(), ErrorObject> {
        let handing = async {
            // Fails only when the other end is gone, and so is the process then.
            if self.assignments.send(assignment).await.is_err() || was_taken.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = handing => Ok(()),
            status = self.exit() => {
                self.output.settle().await;
                Err(self.start_failure(request_id, status))
            }
            () = sleep(self.timeout.max(START_LIMIT)) => {
                self.kill().await;
                Err(failure::timed_out(request_id, self.timeout.max(START_LIMIT)))
            }
        }
    }

    async fn answer(&self, mut answer: oneshot::Receiver<Reply>, request_id: Uuid) -> Reply {
        let no_answer = |_| {
            let message = "The runtime asked for the next invocation without answering this one.";
            Err(ErrorObject::new("Runtime.NoResponse", message))
        };
        tokio::select! {
            biased;
            reply = &mut answer => reply.unwrap_or_else(no_answer),
            status = self.exit() => match timeout(LAST_WORDS, answer).await {
                Ok(Ok(reply)) => reply,
                _ => Err(failure::exited(request_id, status)),
            },
            () = sleep(self.timeout) => {
                self.kill().await;
                Err(failure::timed_out(request_id, self.timeout))
            }
        }
    }

    /// A process that ended before its first invocation: its own words, when it had any.
    fn start_failure(&self, request_id: Uuid, status: Exit) -> ErrorObject {
        let exited = failure::exited(request_id, status);
        match self.api.init_error() {
            Some(error) => ErrorObject::new(RUNTIME_EXIT_ERROR, format!("{} ({error})", exited.message())),
            None => exited,
        }
    }

    async fn exit(&self) -> Exit {
        match self.exited.clone().wait_for(Option::is_some).await {
            Ok(exit) => exit.flatten(),
            // The supervisor is gone, which only the end of the runtime does.
            Err(_) => None,
        }
    }
}

/// Waits for the end of a process, or brings it about.
async fn supervise(mut child: Child, group: &Group, mut stopping: watch::Receiver<Stop>) -> Exit {
    let stop = async {
        match stopping.wait_for(|stop| *stop != Stop::No).await {
            Ok(stop) => *stop,
            Err(_) => Stop::Now,
        }
    };
    let ended = tokio::select! {
        ended = child.wait() => Some(ended),
        stop = stop => {
            if stop == Stop::Gently {
                group.terminate();
                timeout(STOP_LIMIT, child.wait()).await.ok()
            } else {
                None
            }
        }
    };
    // Also what the process started and left behind.
    group.kill();
    let ended = match ended {
        Some(ended) => ended,
        None => child.wait().await,
    };
    ended.ok()
}
