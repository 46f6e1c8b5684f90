//! A dev server's settings, and how it comes up.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use durable_engine::{Engine, OpenError, PageLimit};
use durable_runtime::{Root, workflow, workflow::SharedWorkflow};
use tokio::{net::TcpListener, runtime::Handle, sync::Semaphore};

use super::{DevServer, Service, data, events::Events, retention::Retentions};
use crate::{
    config::{ConfigError, FunctionConfig, Retention},
    host::{Function, FunctionTable, HostedFunction, Surroundings},
    http::{Guard, Limits},
    logs::{Echo, LogStore},
};

/// The region in ARNs and of functions when nothing else is said.
const DEFAULT_REGION: &str = "us-east-1";

/// What an invocation's envelope and each further page of the state hold at most: what the service itself fits
/// into one, so that functions meet pages here too.
const STATE_PAGE: PageLimit = PageLimit { operations: 1000, bytes: 5 * 1024 * 1024 };

/// A dev server's settings.
#[must_use = "a server exists once it is started"]
pub struct ServerBuilder {
    host: IpAddr,
    port: u16,
    names: Vec<String>,
    region: String,
    patience: Option<Duration>,
    data: Option<PathBuf>,
    retention: Retention,
    workflows: Vec<SharedWorkflow>,
    functions: BTreeMap<String, FunctionConfig>,
    echo: Echo,
    watch: bool,
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("port", &self.port)
            .field("data", &self.data)
            .finish_non_exhaustive()
    }
}

/// Why a dev server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port can't be had.
    #[error("can't listen on {address}: {source}; choose another port with --port")]
    Listen {
        /// The address and the port.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data directory can't be used.
    #[error("can't use {} as the data directory: {source}", .path.display())]
    Data {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The region is none.
    #[error("'{region}' is no region: a region is 1 to 32 characters of [a-z0-9-], such as eu-west-1")]
    Region {
        /// The region.
        region: String,
    },
    /// The database in it can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A function's settings contradict each other.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Changes of a function's files can't be watched.
    #[error("can't watch the files of function '{function}': {source}")]
    Watch {
        /// The function.
        function: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            names: Vec::new(),
            region: DEFAULT_REGION.to_owned(),
            patience: None,
            data: None,
            retention: Retention::default(),
            workflows: Vec::new(),
            functions: BTreeMap::new(),
            echo: Echo::default(),
            watch: false,
        }
    }

    /// Listens on this address. Default: 127.0.0.1, for programs on this machine only.
    ///
    /// Anybody who reaches another address may run the functions and read everything that they were given: there are
    /// no credentials to check.
    pub fn host(mut self, address: impl Into<IpAddr>) -> Self {
        self.host = address.into();
        self
    }

    /// Also answers requests that call the server by this name, such as its name in a network of containers. Default:
    /// only `localhost` and addresses, so that no web page can give its own name our address.
    pub fn allow_host(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// The region in ARNs, and of the functions. Executions that exist keep their ARNs. Default: `us-east-1`.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// How long a client may take to send a request's head, then its body, and to take an answer; and how long a
    /// connection may be idle. Default: one minute.
    pub const fn patience(mut self, limit: Duration) -> Self {
        self.patience = Some(limit);
        self
    }

    /// Listens on this port. Default: a free one.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Keeps executions and logs in this directory, which is created when there is none. Default: both in
    /// memory.
    pub fn data(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data = Some(directory.into());
        self
    }

    /// How long executions are kept after their end, unless their function says otherwise. Executions of functions that
    /// the server does not host are left alone. Default: 14 days.
    pub const fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Hosts a `#[durable_execution]` function of this process.
    pub fn register<Arguments: 'static, F: Root<Arguments>>(self, function: F) -> Self {
        self.workflow(workflow(function))
    }

    /// Hosts a workflow of this process.
    pub fn workflow(mut self, workflow: SharedWorkflow) -> Self {
        self.workflows.push(workflow);
        self
    }

    /// Hosts a process or an HTTP endpoint under this name.
    pub fn function(mut self, name: impl Into<String>, config: FunctionConfig) -> Self {
        self.functions.insert(name.into(), config);
        self
    }

    /// Writes what functions write to standard output, too. Default: only to the logs.
    pub const fn echo_logs(mut self) -> Self {
        self.echo = Echo::Stdout;
        self
    }

    /// Rebuilds and restarts functions when their files change. Default: off.
    pub const fn watch(mut self) -> Self {
        self.watch = true;
        self
    }

    /// Starts the server; call it inside a tokio runtime. Executions of the functions go on at once.
    ///
    /// # Errors
    ///
    /// See [`StartError`]. Nothing runs.
    pub async fn start(self) -> Result<DevServer, StartError> {
        if !is_region(&self.region) {
            return Err(StartError::Region { region: self.region });
        }
        let wanted = SocketAddr::new(self.host, self.port);
        let listen = |source| StartError::Listen { address: wanted, source };
        let listener = TcpListener::bind(wanted).await.map_err(listen)?;
        let address = from_here(listener.local_addr().map_err(listen)?);
        if let Some(directory) = &self.data {
            data::prepare(directory)
                .map_err(|source| StartError::Data { path: directory.clone(), source })?;
        }
        let mut limits = Limits::of_system();
        limits.patience = self.patience.unwrap_or(limits.patience);
        let logs = self.logs()?;
        let events = Events::open(self.data.as_deref())
            .map_err(|source| StartError::Data { path: self.data.clone().unwrap_or_default(), source })?;
        let functions = self.table(address, &logs)?;
        let retentions = self.retentions();
        // The functions' processes start with the engine; what they ask of the API waits in the listener's queue.
        let mut engine = Engine::builder().state_page(STATE_PAGE).region(self.region.as_str());
        if let Some(data) = &self.data {
            engine = engine.sqlite(data.join("executions.db"));
        }
        for workflow in functions.workflows().into_iter().chain(self.workflows) {
            engine = engine.workflow(workflow);
        }
        let engine = engine.open()?;
        // After the database is ours: an event belongs to one server.
        events.resume(|name| match functions.get(name) {
            Some(Function::Hosted(function)) => Some(function.clone()),
            _ => None,
        });
        let service = Service {
            engine,
            functions,
            events,
            logs,
            retentions,
            region: self.region,
            guard: Guard::new(self.host, &self.names),
            patience: limits.patience,
            waiting: Semaphore::new(limits.connections / 2),
            runtime: Handle::current(),
        };
        Ok(DevServer::serve(listener, address, limits, service))
    }

    fn logs(&self) -> Result<LogStore, StartError> {
        let folder = self.data.as_ref().map(|data| data.join("logs"));
        LogStore::open(folder.as_deref(), self.echo)
            .map_err(|source| StartError::Data { path: folder.unwrap_or_default(), source })
    }

    fn retentions(&self) -> Retentions {
        let mut retentions = Retentions::default();
        for workflow in &self.workflows {
            retentions.set(workflow.name().to_owned(), self.retention);
        }
        for (name, config) in &self.functions {
            retentions.set(name.clone(), config.retention.unwrap_or(self.retention));
        }
        retentions
    }

    fn table(&self, address: SocketAddr, logs: &LogStore) -> Result<FunctionTable, StartError> {
        let mut table = FunctionTable::default();
        for workflow in &self.workflows {
            table.insert(workflow.name().to_owned(), Function::InProcess);
        }
        for (name, config) in &self.functions {
            let surroundings =
                Surroundings { endpoint: address, region: self.region.clone(), logs: logs.clone() };
            let function = HostedFunction::new(name, config, surroundings)?;
            if self.watch {
                function
                    .watch()
                    .map_err(|error| StartError::Watch { function: name.clone(), source: error.into() })?;
            }
            table.insert(name.clone(), Function::Hosted(function));
        }
        Ok(table)
    }
}

fn is_region(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(allowed)
}

/// How an address to listen on is reached from this machine.
fn from_here(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    };
    SocketAddr::new(host, address.port())
}
