//! A dev server's settings, and how it comes up.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use durable_engine::{Engine, OpenError, PageLimit};
use durable_runtime::{Root, workflow, workflow::SharedWorkflow};
use tokio::net::TcpListener;

use super::{DevServer, Service};
use crate::{
    config::{ConfigError, FunctionConfig},
    host::{Function, FunctionTable, HostedFunction},
    logs::{Echo, LogStore},
};

/// What an invocation's envelope and each further page of the state hold at most: what the service itself fits
/// into one, so that functions meet pages here too.
const STATE_PAGE: PageLimit = PageLimit { operations: 1000, bytes: 5 * 1024 * 1024 };

/// A dev server's settings.
#[must_use = "a server exists once it is started"]
#[derive(Default)]
pub struct ServerBuilder {
    port: u16,
    data: Option<PathBuf>,
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
    #[error("can't listen on 127.0.0.1:{port}: {source}; choose another port with --port")]
    Listen {
        /// The port.
        port: u16,
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
        Self::default()
    }

    /// Listens on this port of 127.0.0.1. Default: a free one.
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
        let listen = |source| StartError::Listen { port: self.port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let logs = self.logs()?;
        let functions = self.table(address, &logs)?;
        // The functions' processes start with the engine; what they ask of the API waits in the listener's queue.
        let mut engine = Engine::builder().state_page(STATE_PAGE);
        if let Some(data) = &self.data {
            engine = engine.sqlite(data.join("executions.db"));
        }
        for workflow in functions.workflows().into_iter().chain(self.workflows) {
            engine = engine.workflow(workflow);
        }
        let service = Service { engine: engine.open()?, functions, logs };
        Ok(DevServer::serve(listener, address, service))
    }

    fn logs(&self) -> Result<LogStore, StartError> {
        let folder = self.data.as_ref().map(|data| data.join("logs"));
        LogStore::open(folder.as_deref(), self.echo)
            .map_err(|source| StartError::Data { path: folder.unwrap_or_default(), source })
    }

    fn table(&self, address: SocketAddr, logs: &LogStore) -> Result<FunctionTable, StartError> {
        let mut table = FunctionTable::default();
        for workflow in &self.workflows {
            table.insert(workflow.name().to_owned(), Function::InProcess);
        }
        for (name, config) in &self.functions {
            let function = HostedFunction::new(name, config, address, logs.clone())?;
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
