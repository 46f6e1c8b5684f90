//! The dev server: one engine, a table of functions, and the REST API over both.

mod builder;
mod callbacks;
mod error;
mod executions;
mod invoke;
mod own;
mod request;
mod route;
mod view;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Response, header},
    serve::ListenerExt as _,
};
use durable_engine::Engine;
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

pub use builder::{ServerBuilder, StartError};

use crate::{host::FunctionTable, logs::LogStore};

/// What every request is answered from.
pub(crate) struct Service {
    engine: Engine,
    functions: FunctionTable,
    logs: LogStore,
}

/// A running dev server: the REST API of Lambda durable executions on the loopback interface.
///
/// Dropping it stops everything where it stands, as a crash would; [`DevServer::shutdown`] is the graceful way.
pub struct DevServer {
    address: SocketAddr,
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
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

    fn serve(listener: TcpListener, address: SocketAddr, service: Service) -> Self {
        let service = Arc::new(service);
        let (stop, stopped) = oneshot::channel();
        let answering = Arc::clone(&service);
        let router = Router::new().fallback(move |request| {
            let service = Arc::clone(&answering);
            async move { service.answer(request).await }
        });
        let serving = tokio::spawn(async move {
            // Answers are small and waited for: they must not wait for an acknowledgement.
            let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
            let server = axum::serve(listener, router);
            tokio::select! {
                // The listener never fails for good: it goes on after every failed accept.
                _ = server.into_future() => {}
                _ = stopped => {}
            }
        });
        Self { address, service, stop: Some(stop), serving }
    }

    /// Where it listens.
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
    pub async fn shutdown(mut self, limit: Duration) -> bool {
        // The API answers until the end: invocations checkpoint while they finish.
        let ended = self.service.engine.shutdown(limit).await;
        self.service.functions.stop().await;
        if let Some(stop) = self.stop.take() {
            // Fails when the server task has ended already.
            let _ = stop.send(());
        }
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
