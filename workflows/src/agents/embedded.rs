//! Starts and stops the three agents.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::config::{check_corpus, check_url};
use super::delivery::Delivery;
use super::inbox::Inbox;
use super::llm::ChatModel;
use super::researcher::Researcher;
use super::worker::{Work, Worker, WorkerParts};
use super::{AgentsConfig, AgentsError, server};

/// Which agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Takes `research` tasks.
    Researcher,
    /// Takes `analyze` tasks.
    Analyst,
    /// Takes `write` tasks.
    Writer,
}

impl Role {
    const ALL: [Self; 3] = [Self::Researcher, Self::Analyst, Self::Writer];

    fn as_str(self) -> &'static str {
        match self {
            Self::Researcher => "researcher",
            Self::Analyst => "analyst",
            Self::Writer => "writer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The three running agents. Dropped, they stop at once; [`shutdown`](Self::shutdown) waits for it. Either
/// way unfinished tasks are taken up by the next agents with the same data directory.
#[derive(Debug)]
pub struct EmbeddedAgents {
    agents: Vec<Agent>,
    /// Held for as long as the agents run.
    _lock: File,
}

#[derive(Debug)]
struct Agent {
    endpoint: String,
    worker: Arc<Worker>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl EmbeddedAgents {
    /// Starts the agents, each on a free loopback port, and takes up what earlier ones left unfinished.
    ///
    /// # Errors
    /// When the corpus, the data directory or a configured URL can't be used; nothing was started then.
    pub async fn start(config: AgentsConfig) -> Result<Self, AgentsError> {
        let corpus = check_corpus(&config.corpus)?;
        let callback_url =
            config.callback_url.as_deref().map(|url| check_url("callback URL", url)).transpose()?;
        let model = config.llm.map(ChatModel::new).transpose()?;
        let data_dir = config.data_dir;
        let lock = lock_data_dir(&data_dir)?;
        let delivery = Delivery::new(config.api_key, callback_url.clone());
        let unusable = |source| AgentsError::DataDir { path: data_dir.clone(), source };

        // Listeners first: a task must not be taken up by agents that then fail to start.
        let mut listeners = Vec::new();
        for role in Role::ALL {
            let listen = |source| AgentsError::Listen { role: role.as_str(), source };
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(listen)?;
            let endpoint = format!("http://{}/", listener.local_addr().map_err(listen)?);
            let inbox = Inbox::open(data_dir.join("tasks").join(role.as_str())).map_err(unusable)?;
            listeners.push((role, listener, endpoint, inbox));
        }

        let mut agents = Vec::new();
        for (role, listener, endpoint, inbox) in listeners {
            let work = match role {
                Role::Researcher => Work::Research(Researcher::new(corpus.clone(), data_dir.join("index"))),
                Role::Analyst => Work::Analyze,
                Role::Writer => Work::Write { model: model.clone() },
            };
            let worker = Worker::new(WorkerParts {
                role,
                work,
                inbox,
                delivery: delivery.clone(),
                heartbeat_interval: config.heartbeat_interval,
                concurrent_tasks: config.concurrent_tasks,
            });
            worker.resume(callback_url.as_ref()).await.map_err(unusable)?;
            agents.push(Agent::serve(worker, listener, endpoint));
        }
        Ok(Self { agents, _lock: lock })
    }

    /// Where to dispatch tasks for `role`.
    #[must_use]
    pub fn endpoint(&self, role: Role) -> &str {
        let agent = self.agents.iter().find(|agent| agent.worker.role == role);
        &agent.expect("one agent was started for each role").endpoint
    }

    /// Takes no more tasks, stops the work and returns when all of it has stopped.
    pub async fn shutdown(mut self) {
        for mut agent in std::mem::take(&mut self.agents) {
            agent.stop.send_replace(true);
            agent.worker.stop().await;
            if let Err(error) = (&mut agent.server).await {
                tracing::warn!(%error, role = %agent.worker.role, "an agent's server ended badly");
            }
        }
    }
}

impl Agent {
    fn serve(worker: Arc<Worker>, listener: TcpListener, endpoint: String) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let routes = server::router(Arc::clone(&worker));
        let role = worker.role;
        let server = tokio::spawn(async move {
            let until_stopped = async move {
                // An error means that the sender is gone, which is a reason to stop too.
                let _ = stopped.wait_for(|stop| *stop).await;
            };
            if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(until_stopped).await {
                tracing::error!(%error, %role, "an agent's server failed");
            }
        });
        tracing::info!(%role, endpoint, "agent listening");
        Self { endpoint, worker, stop, server }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.worker.abort();
        self.server.abort();
    }
}

/// Two sets of agents on one directory would both take up the same tasks.
fn lock_data_dir(data_dir: &Path) -> Result<File, AgentsError> {
    let unusable = |source: io::Error| AgentsError::DataDir { path: data_dir.to_path_buf(), source };
    std::fs::create_dir_all(data_dir).map_err(unusable)?;
    let path: PathBuf = data_dir.join("agents.lock");
    let file = File::create(path).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(AgentsError::DataDirInUse { path: data_dir.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}
