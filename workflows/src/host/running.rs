//! Assembly: which implementation stands behind each port is decided here and nowhere else.

use std::{collections::BTreeSet, net::Ipv4Addr, path::PathBuf, sync::Arc, time::Duration};

use durable_engine::Engine;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use super::{
    CallbackIntake, DataDir, DataDirError, ServerAddress, Service, ServiceError, housekeeping::Housekeeping,
};
use crate::{
    agents::{AgentsConfig, AgentsError, EmbeddedAgents, LlmConfig, Role},
    callback::{WebhookOptions, WebhookSender, callback_handler, webhook_notification},
    config::Config,
    http,
    local::{
        A2aAgents, ArtifactDirectory, Database, DeadLetterDirectory, Endpoints, EngineExecutions,
        EngineWebhooks, LocalPost, LogAndWebhook, LoggedMetrics, SigningKey, SqliteCallbacks, SqliteEvents,
        SqliteRecords,
    },
    ports::{Ports, Settings},
    research::research_workflow,
};

/// How long running steps may take to end when a process is asked to stop.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(5);
/// Where agents would be called if nothing ran; a process that only looks at its data dispatches nothing.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Which agents do the work.
#[derive(Clone, Debug, Default)]
pub struct AgentChoice {
    /// The documents that the embedded researcher reads; the sources in the Cargo registry by default.
    pub corpus: Option<PathBuf>,
    /// A model that writes the report in the embedded writer's place.
    pub llm: Option<LlmConfig>,
    /// Another researcher.
    pub researcher: Option<String>,
    /// Another analyst.
    pub analyst: Option<String>,
    /// Another writer.
    pub writer: Option<String>,
}

/// What a process is started with.
#[derive(Debug)]
pub struct HostOptions {
    /// Its directory.
    pub directory: DataDir,
    /// Its configuration.
    pub config: Config,
    /// Its agents.
    pub agents: AgentChoice,
    /// The port of its server; by default the one it had before, or any.
    pub port: Option<u16>,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The data directory can't be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// The engine's database can't be used.
    #[error(transparent)]
    Engine(#[from] durable_engine::OpenError),
    /// The database of records can't be used.
    #[error(transparent)]
    Records(#[from] crate::local::OpenError),
    /// The agents could not be started.
    #[error(transparent)]
    Agents(#[from] AgentsError),
    /// No port could be bound.
    #[error("can't listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// What happened.
        source: std::io::Error,
    },
    /// What an earlier process left can't be picked up.
    #[error("can't pick up what an earlier process left: {0}")]
    Recovery(#[from] ServiceError),
}

/// A process on its data directory: looking at it only, or running its workflows.
#[derive(Debug)]
pub struct Host {
    service: Arc<Service>,
    engine: Engine,
    running: Option<Running>,
    /// Dropped last: the directory is others' once everything else is closed.
    directory: DataDir,
}

#[derive(Debug)]
struct Running {
    address: ServerAddress,
    agents: Option<EmbeddedAgents>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    housekeeping: JoinHandle<()>,
}

impl Host {
    /// Opens the stores of a directory without running anything in it.
    ///
    /// # Errors
    ///
    /// A store can't be used.
    pub async fn open(directory: DataDir) -> Result<Self, HostError> {
        let base_url = directory.last_address().map_or_else(|| NOWHERE.to_owned(), |address| address.url());
        let endpoints = Endpoints {
            researcher: NOWHERE.to_owned(),
            analyst: NOWHERE.to_owned(),
            writer: NOWHERE.to_owned(),
        };
        let settings = Settings {
            callback_url: callback_url(&base_url),
            approval_timeout: Duration::ZERO,
            heartbeat_timeout: None,
        };
        let stores = Stores::open(&directory, base_url)?;
        let service = stores.service(stores.ports(endpoints, None, settings));
        Ok(Self { service, engine: stores.engine, running: None, directory })
    }

    /// Starts everything: server, agents, workflows; unfinished ones go on.
    ///
    /// # Errors
    ///
    /// Some part can't be started; nothing runs then.
    pub async fn start(options: HostOptions) -> Result<Self, HostError> {
        let HostOptions { directory, config, agents: choice, port } = options;
        let listener = listen(&directory, port).await?;
        let local = listener.local_addr().map_err(|source| HostError::Listen { port: 0, source })?;
        let address = ServerAddress { port: local.port(), instance: uuid::Uuid::new_v4().to_string() };
        let base_url = address.url();
        let stores = Stores::open(&directory, base_url.clone())?;

        let mut authentication = config.authentication;
        if authentication.is_required() {
            authentication.embedded_key = Some(uuid::Uuid::new_v4().to_string());
        }
        let callback_url = callback_url(&base_url);
        let (agents, endpoints) =
            start_agents(&directory, choice, &callback_url, authentication.embedded_key.clone()).await?;
        let settings = Settings {
            callback_url,
            approval_timeout: config.approval_timeout,
            heartbeat_timeout: config.heartbeat_timeout,
        };
        let mut ports = stores.ports(endpoints, config.webhook, settings);
        if let Some(options) = &config.callback_webhooks {
            ports.webhooks = Some(Arc::new(EngineWebhooks::new(stores.engine.clone(), options.clone())));
        }
        let service = stores.service(ports.clone());
        let parts = http::Parts {
            service: Arc::clone(&service),
            callbacks: Arc::new(CallbackIntake::new(
                ports.clone(),
                stores.executions.clone(),
                authentication,
            )),
            artifacts: Arc::clone(&stores.artifacts),
        };

        // The address is on record before anybody can need it, and the server answers before any agent calls.
        directory.remember_address(&address)?;
        let (stop, stopped) = watch::channel(false);
        let routes = http::router(parts, &address.instance);
        let server = tokio::spawn(serve(listener, routes, stopped));

        register_workflows(&stores.engine, ports, config.callback_webhooks);
        let housekeeping = Housekeeping {
            service: Arc::clone(&service),
            engine: stores.engine.clone(),
            history_retention: config.history_retention,
        };
        let housekeeping = tokio::spawn(housekeeping.run());
        let running = Some(Running { address, agents, stop, server, housekeeping });
        let host = Self { service, engine: stores.engine, running, directory };
        if let Err(error) = host.service.recover().await {
            host.shutdown().await;
            return Err(error.into());
        }
        Ok(host)
    }

    /// What can be asked of this process.
    #[must_use]
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    #[cfg(test)]
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Its data directory.
    #[must_use]
    pub fn directory(&self) -> &DataDir {
        &self.directory
    }

    /// Where its server listens, when it runs.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        self.running.as_ref().map(|running| running.address.url())
    }

    /// Stops: no new invocations, a few seconds for what runs, then the stores are closed. Workflows that have
    /// not ended go on at the next start.
    pub async fn shutdown(self) {
        if let Some(Running { agents, stop, server, housekeeping, .. }) = self.running {
            housekeeping.abort();
            if let Some(agents) = agents {
                // Agents that wait for an answer of our server must not hold the process.
                let _ = tokio::time::timeout(SHUTDOWN_LIMIT, agents.shutdown()).await;
            }
            self.engine.shutdown(SHUTDOWN_LIMIT).await;
            stop.send_replace(true);
            let mut server = server;
            if tokio::time::timeout(Duration::from_secs(1), &mut server).await.is_err() {
                server.abort();
            }
        } else {
            self.engine.shutdown(SHUTDOWN_LIMIT).await;
        }
    }
}

/// The parts that look the same whether or not anything runs.
struct Stores {
    engine: Engine,
    database: Database,
    artifacts: Arc<ArtifactDirectory>,
    dead_letters: Arc<DeadLetterDirectory>,
    executions: EngineExecutions,
}

impl Stores {
    fn open(directory: &DataDir, base_url: String) -> Result<Self, HostError> {
        let unusable = |source| DataDirError::Unusable { path: directory.root().to_owned(), source };
        let database = Database::open(&directory.records_db())?;
        let key = SigningKey::load_or_create(&directory.signing_key()).map_err(unusable)?;
        let artifacts = ArtifactDirectory::open(directory.artifacts(), key, base_url).map_err(unusable)?;
        let engine = Engine::open(directory.engine_db())?;
        let executions = EngineExecutions::new(engine.clone());
        let dead_letters = Arc::new(DeadLetterDirectory::new(directory.dead_letters()));
        Ok(Self { engine, database, artifacts: Arc::new(artifacts), dead_letters, executions })
    }

    fn ports(&self, endpoints: Endpoints, webhook: Option<String>, settings: Settings) -> Ports {
        Ports {
            records: Arc::new(SqliteRecords::new(self.database.clone())),
            callbacks: Arc::new(SqliteCallbacks::new(self.database.clone())),
            dead_letter_queue: Some(Arc::clone(&self.dead_letters) as _),
            artifacts: Arc::clone(&self.artifacts) as _,
            agents: Arc::new(A2aAgents::new(endpoints)),
            notify: Arc::new(LogAndWebhook::new(webhook)),
            events: Arc::new(SqliteEvents::new(self.database.clone())),
            executions: Arc::new(self.executions.clone()),
            webhooks: None,
            metrics: Arc::new(LoggedMetrics),
            settings,
        }
    }

    fn service(&self, ports: Ports) -> Arc<Service> {
        let service = Service::new(ports, Arc::new(self.executions.clone()));
        Arc::new(service.with_files(Arc::clone(&self.artifacts)))
    }
}

fn register_workflows(engine: &Engine, ports: Ports, webhooks: Option<WebhookOptions>) {
    // Registered also when nobody is told any more: what was begun before then ends by itself.
    let options = webhooks.unwrap_or_else(|| WebhookOptions { urls: BTreeSet::new(), secret: String::new() });
    let sender = WebhookSender::new(options, Arc::new(LocalPost::new()));
    let callback_ports = ports.clone();
    engine.register_workflows([
        durable_runtime::workflow(move |job| research_workflow(ports.clone(), job)),
        durable_runtime::workflow(move |request| callback_handler(callback_ports.clone(), request)),
        durable_runtime::workflow(move |job| webhook_notification(sender.clone(), job)),
    ]);
}

/// Embedded agents, unless all three are elsewhere, and where each one is.
async fn start_agents(
    directory: &DataDir,
    choice: AgentChoice,
    callback_url: &str,
    api_key: Option<String>,
) -> Result<(Option<EmbeddedAgents>, Endpoints), HostError> {
    let AgentChoice { corpus, llm, researcher, analyst, writer } = choice;
    if let (Some(researcher), Some(analyst), Some(writer)) = (&researcher, &analyst, &writer) {
        let endpoints =
            Endpoints { researcher: researcher.clone(), analyst: analyst.clone(), writer: writer.clone() };
        return Ok((None, endpoints));
    }
    let corpus = match corpus {
        Some(corpus) => corpus,
        // Nobody reads documents when the researcher is elsewhere.
        None if researcher.is_some() => directory.root().to_owned(),
        None => crate::agents::default_corpus()?,
    };
    let mut config = AgentsConfig::new(directory.agents(), corpus);
    config.callback_url = Some(callback_url.to_owned());
    config.api_key = api_key;
    config.llm = llm;
    let agents = EmbeddedAgents::start(config).await?;
    let endpoint = |other: Option<String>, role| other.unwrap_or_else(|| agents.endpoint(role).to_owned());
    let endpoints = Endpoints {
        researcher: endpoint(researcher, Role::Researcher),
        analyst: endpoint(analyst, Role::Analyst),
        writer: endpoint(writer, Role::Writer),
    };
    Ok((Some(agents), endpoints))
}

fn callback_url(base_url: &str) -> String {
    format!("{base_url}/callbacks")
}

/// The port asked for; or the last one, so that links and callback URLs stay valid; or any.
async fn listen(directory: &DataDir, port: Option<u16>) -> Result<TcpListener, HostError> {
    let bind = async |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    if let Some(port) = port {
        return bind(port).await.map_err(|source| HostError::Listen { port, source });
    }
    if let Some(last) = directory.last_address()
        && let Ok(listener) = bind(last.port).await
    {
        return Ok(listener);
    }
    bind(0).await.map_err(|source| HostError::Listen { port: 0, source })
}

async fn serve(listener: TcpListener, routes: axum::Router, mut stopped: watch::Receiver<bool>) {
    let until_stopped = async move {
        // An error means that the sender is gone, which is a reason to stop too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(until_stopped).await {
        tracing::error!(%error, "the server failed");
    }
}
