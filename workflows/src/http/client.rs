//! The workflow API from the other side, for command lines that find a data directory in use.

use std::time::Duration;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    callback::Redriven,
    host::{DecisionView, ExecutionView, ListView, StartedView, WorkflowView},
    ports::{DeadLetter, ListQuery, WorkflowId},
    research::{Approval, ResearchInput},
};

/// A process that is alive answers at once.
const HEALTH_LIMIT: Duration = Duration::from_secs(2);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The server said no, in these words.
    #[error("{0}")]
    Refused(String),
    /// There was no usable answer.
    #[error("the process that uses this data directory does not answer at {url}: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        reason: String,
    },
}

/// Calls the workflow API of another process on this machine.
#[derive(Clone, Debug)]
pub struct ApiClient {
    base_url: String,
    client: reqwest::Client,
}

impl ApiClient {
    /// A client of the server at `base_url`.
    #[must_use]
    pub fn new(base_url: String) -> Self {
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client without TLS and proxy has nothing that could fail");
        Self { base_url, client }
    }

    /// `GET /health`: true when the process `instance` answers, and no other.
    pub async fn is_instance(&self, instance: &str) -> bool {
        let health: Result<Value, ApiError> =
            tokio::time::timeout(HEALTH_LIMIT, self.call(Method::GET, &["health"], &[], None))
                .await
                .unwrap_or_else(|_| Err(ApiError::Refused("it does not answer".to_owned())));
        health.is_ok_and(|health| health.get("instance").and_then(Value::as_str) == Some(instance))
    }

    /// `POST /workflows`
    pub async fn start(&self, input: &ResearchInput) -> Result<StartedView, ApiError> {
        let body = serde_json::to_value(input).expect("an input has string keys only");
        self.call(Method::POST, &["workflows"], &[], Some(body)).await
    }

    /// `GET /workflows/{id}`
    pub async fn workflow(&self, id: &WorkflowId) -> Result<WorkflowView, ApiError> {
        self.call(Method::GET, &["workflows", id.as_str()], &[], None).await
    }

    /// `GET /workflows/{id}/operations`
    pub async fn execution(&self, id: &WorkflowId) -> Result<ExecutionView, ApiError> {
        self.call(Method::GET, &["workflows", id.as_str(), "operations"], &[], None).await
    }

    /// `GET /workflows`
    pub async fn list(&self, query: ListQuery) -> Result<ListView, ApiError> {
        let mut parameters = Vec::new();
        if let Some(status) = query.status {
            parameters.push(("status", status.to_string()));
        }
        if query.limit > 0 {
            parameters.push(("limit", query.limit.to_string()));
        }
        if let Some(cursor) = query.cursor {
            parameters.push(("cursor", cursor));
        }
        self.call(Method::GET, &["workflows"], &parameters, None).await
    }

    /// `POST /workflows/{id}/approval`
    pub async fn decide(&self, id: &WorkflowId, approval: &Approval) -> Result<DecisionView, ApiError> {
        let body = serde_json::to_value(approval).expect("a decision is a boolean and a string");
        self.call(Method::POST, &["workflows", id.as_str(), "approval"], &[], Some(body)).await
    }

    /// `DELETE /workflows/{id}`
    pub async fn cancel(&self, id: &WorkflowId) -> Result<WorkflowView, ApiError> {
        self.call(Method::DELETE, &["workflows", id.as_str()], &[], None).await
    }

    /// `GET /dead-letters`
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, ApiError> {
        self.call(Method::GET, &["dead-letters"], &[], None).await
    }

    /// `POST /dead-letters/redrive`
    pub async fn redrive(&self) -> Result<Redriven, ApiError> {
        self.call(Method::POST, &["dead-letters", "redrive"], &[], None).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<Value>,
    ) -> Result<T, ApiError> {
        let unreachable = |reason: String| ApiError::Unreachable { url: self.base_url.clone(), reason };
        let mut url = reqwest::Url::parse(&self.base_url).map_err(|error| unreachable(error.to_string()))?;
        // Segment by segment: an id from the command line may hold anything.
        url.path_segments_mut()
            .map_err(|()| unreachable("not a URL with a path".to_owned()))?
            .pop_if_empty()
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(|error| unreachable(error.without_url().to_string()))?;
        let is_success = answer.status().is_success();
        let bytes = answer.bytes().await.map_err(|error| unreachable(error.without_url().to_string()))?;
        if is_success {
            return serde_json::from_slice(&bytes)
                .map_err(|error| unreachable(format!("its answer is not what was expected: {error}")));
        }
        let message = serde_json::from_slice::<Value>(&bytes)
            .ok()
            .and_then(|body| body.get("error")?.as_str().map(str::to_owned));
        Err(message
            .map_or_else(|| unreachable("it answered without saying why not".to_owned()), ApiError::Refused))
    }
}
