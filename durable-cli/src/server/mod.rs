//! The dev server: one engine, a table of functions, and the REST API over both.

mod builder;
mod callbacks;
mod control;
mod data;
mod error;
mod events;
mod executions;
mod invoke;
mod own;
mod request;
mod retention;
mod route;
mod stale_token;
mod view;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Response, header},
};
use durable_engine::Engine;
use serde_json::Value;
use tokio::{net::TcpListener, runtime::Handle, sync::Semaphore, task::JoinHandle};

pub use builder::{ServerBuilder, StartError};
pub(crate) use data::create_private;
pub(crate) use events::EventRetry;

use crate::{
    host::FunctionTable,
    http::{self, Guard, Limits},
    logs::LogStore,
};
use events::Events;
use retention::Retentions;

/// What every request is answered from.
pub(crate) struct Service {
    engine: Engine,
    functions: FunctionTable,
    events: Events,
    logs: LogStore,
    retentions: Retentions,
    region: String,
    guard: Guard,
    /// How long a client may take to send a body.
    patience: Duration,
    /// Invokes that wait for their end. They hold connections, and without a free one the functions that they wait
    /// for could not checkpoint.
    waiting: Semaphore,
    /// For what goes on when its caller is gone, but not when the server is: connections run elsewhere.
    runtime: Handle,
}

/// A running dev server: the REST API of Lambda durable executions on the loopback interface, unless it was told to
/// listen elsewhere.
///
/// Dropping it stops everything where it stands, as a crash would; [`DevServer::shutdown`] is the graceful way.
pub struct DevServer {
    address: SocketAddr,
    service: Arc<Service>,
    serving: JoinHandle<()>,
}

impl std::fmt::Debug for DevServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl DevServer {
    /// A server with a free port, executions in memory and no functions, to begin with.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    fn serve(listener: TcpListener, address: SocketAddr, limits: Limits, service: Service) -> Self {
        let service = Arc::new(service);
        let answering = Arc::clone(&service);
        let serving = tokio::spawn(http::serve(listener, limits, move |request| {
            let service = Arc::clone(&answering);
            async move { service.answer(request).await }
        }));
        tokio::spawn(retention::keep_tidy(Arc::downgrade(&service)));
        Self { address, service, serving }
    }

    /// Where it is reached from this machine.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `AWS_ENDPOINT_URL_LAMBDA` is set to, to use it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The engine behind it.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.service.engine
    }

    /// The functions and where they run, by name.
    #[must_use]
    pub fn functions(&self) -> Vec<(String, String)> {
        self.service.functions.iter().map(|(name, function)| (name.to_owned(), function.host())).collect()
    }

    /// Stops: no invocation begins any more, running ones get until `limit` to end, then their processes are
    /// ended. True when all of them ended in time.
    pub async fn shutdown(self, limit: Duration) -> bool {
        self.service.events.stop();
        // The API answers until the end: invocations checkpoint while they finish.
        let ended = self.service.engine.shutdown(limit).await;
        self.service.functions.stop().await;
        self.serving.abort();
        ended
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn json_response(body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
