//! Registered receivers on one machine: executions of the embedded engine, and plain HTTP.

use std::time::Duration;

use durable_engine::{Engine, StartOptions};
use durable_runtime::protocol::Payload;
use reqwest::Url;

use crate::{
    a2a::{HttpClients, describe_transport_error},
    callback::{WEBHOOK_NOTIFICATION, WebhookOptions},
    ports::{BoxFuture, HttpPost, Notice, StoreError, Webhooks},
};

const TIMEOUT: Duration = Duration::from_secs(10);

/// Receivers that executions of the engine tell.
#[derive(Clone, Debug)]
pub struct EngineWebhooks {
    engine: Engine,
    options: WebhookOptions,
}

impl EngineWebhooks {
    /// The receivers of `options`.
    #[must_use]
    pub fn new(engine: Engine, options: WebhookOptions) -> Self {
        Self { engine, options }
    }
}

impl Webhooks for EngineWebhooks {
    fn announce(&self, notice: Notice) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            for job in self.options.jobs(&notice) {
                let input = Payload::from(serde_json::to_string(&job)?);
                let options = StartOptions::named(job.execution_name());
                self.engine.start_raw(WEBHOOK_NOTIFICATION, options, input).await.map_err(|error| {
                    StoreError::Unavailable {
                        what: "the durable execution service",
                        detail: error.to_string(),
                    }
                })?;
            }
            Ok(())
        })
    }
}

/// Posts over plain HTTP; through the proxy of the environment, if it names one, except to this machine.
#[derive(Clone, Debug)]
pub struct LocalPost(HttpClients);

impl LocalPost {
    /// A client that gives up after 10 seconds.
    #[must_use]
    pub fn new() -> Self {
        Self(HttpClients::new(TIMEOUT))
    }
}

impl Default for LocalPost {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpPost for LocalPost {
    fn post(
        &self,
        url: String,
        headers: Vec<(&'static str, String)>,
        body: String,
    ) -> BoxFuture<'_, Result<u16, String>> {
        Box::pin(async move {
            let url = Url::parse(&url).map_err(|error| format!("its address is no URL: {error}"))?;
            let mut request = self.0.for_url(&url).post(url);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let request = request.header("content-type", "application/json").body(body);
            let answer = request.send().await.map_err(describe_transport_error)?;
            Ok(answer.status().as_u16())
        })
    }
}
