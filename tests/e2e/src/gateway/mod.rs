//! A small stand-in for API Gateway: HTTP in, Invoke at the development server, HTTP out.

mod event;
mod routes;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Response, StatusCode},
};

pub use event::Format;
pub use routes::{Route, Routes};

use crate::invoke::{Invoke, InvokeError};

/// The largest request of an HTTP API.
const LARGEST_REQUEST: usize = 10 * 1024 * 1024;
/// How long the gateway waits for a function.
const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway that has its address, but no functions yet.
#[derive(Debug)]
pub struct Listening {
    listener: tokio::net::TcpListener,
    url: String,
}

/// A running gateway, as long as this value lives.
#[derive(Debug)]
pub struct Gateway(tokio::task::JoinHandle<()>);

#[derive(Debug)]
struct Shared {
    format: Format,
    routes: Routes,
    lambda: Invoke,
}

impl Listening {
    /// Takes an address.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn start() -> Result<Self> {
        let listener =
            tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.context("the gateway gets no port")?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(Self { listener, url })
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves the API whose `routes` lead to functions behind `lambda`, which get events of `format`.
    #[must_use]
    pub fn serve(self, format: Format, routes: Routes, lambda: Invoke) -> Gateway {
        let router = Router::new().fallback(serve).with_state(Arc::new(Shared { format, routes, lambda }));
        Gateway(tokio::spawn(async move {
            // Ends with the task only.
            let _ = axum::serve(self.listener, router).await;
        }))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Some((route, parameters)) = shared.routes.find(parts.method.as_str(), parts.uri.path()) else {
        return event::error(StatusCode::NOT_FOUND);
    };
    let Ok(body) = to_bytes(body, LARGEST_REQUEST).await else {
        return event::error(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let request_id = uuid::Uuid::new_v4().to_string();
    let routed = event::Routed {
        parts: &parts,
        body: &body,
        route_key: &route.key(),
        path_parameters: &parameters,
        request_id: &request_id,
    };
    let event = event::event(shared.format, routed);
    let call = shared.lambda.call(&route.function, Bytes::from(event.to_string()));
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(payload)) => event::response(&payload),
        Ok(Err(InvokeError::TooLarge)) => event::error(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(InvokeError::Failed(_))) => event::error(StatusCode::INTERNAL_SERVER_ERROR),
        Ok(Err(InvokeError::Unavailable(_))) | Err(_) => event::error(StatusCode::SERVICE_UNAVAILABLE),
    }
}
