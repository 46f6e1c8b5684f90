//! Gets the results of earlier phases out of a task: inline, or fetched from where they are stored.

use std::time::Duration;

use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::outcome::{AgentFailure, FailureKind};
use crate::a2a::{ArtifactReference, HttpClients, TaskInput, describe_transport_error};

const FETCH_TIMEOUT: Duration = Duration::from_secs(60);
/// No result of ours comes near; a larger body is a mistake or an attack.
const LARGEST_INPUT: usize = 256 * 1024 * 1024;
const ATTEMPTS: u32 = 4;

/// Fetches inputs given by reference.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    http: HttpClients,
}

impl Inputs {
    pub(super) fn new() -> Self {
        Self { http: HttpClients::new(FETCH_TIMEOUT) }
    }

    /// The input called `name`, as what the phase before should have produced.
    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        name: &str,
        input: Option<TaskInput>,
    ) -> Result<T, AgentFailure> {
        let value = match input {
            None => {
                let message =
                    format!("the task has no `inputs.{name}`; send the {name} result or a reference to it");
                return Err(AgentFailure::new(FailureKind::InvalidInput, message));
            }
            Some(TaskInput::Inline(value)) => value,
            Some(TaskInput::Reference(reference)) => self.fetch(name, &reference).await?,
        };
        serde_json::from_value(value).map_err(|error| {
            AgentFailure::new(
                FailureKind::InvalidInput,
                format!("`inputs.{name}` is no {name} result: {error}"),
            )
        })
    }

    async fn fetch(&self, name: &str, reference: &ArtifactReference) -> Result<Value, AgentFailure> {
        let unavailable = |reason: String| {
            let message =
                format!("`inputs.{name}`, stored at {}, can't be fetched: {reason}", reference.s3_uri);
            AgentFailure::new(FailureKind::InputUnavailable, message)
        };
        let url = reference.url.as_deref().ok_or_else(|| {
            unavailable("the reference has no `url`, and this agent has no access to the store".into())
        })?;
        let url = Url::parse(url).map_err(|error| unavailable(format!("its `url` is no URL: {error}")))?;

        let mut attempt = 1;
        loop {
            match self.fetch_once(url.clone()).await {
                Ok(body) => {
                    return serde_json::from_slice(&body)
                        .map_err(|error| unavailable(format!("what is stored there is not JSON: {error}")));
                }
                Err(failure) if failure.is_transient && attempt < ATTEMPTS => {
                    tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(attempt)).await;
                    attempt += 1;
                }
                Err(failure) => return Err(unavailable(failure.reason)),
            }
        }
    }

    async fn fetch_once(&self, url: Url) -> Result<Vec<u8>, FetchFailure> {
        let transport = |error| FetchFailure { is_transient: true, reason: describe_transport_error(error) };
        let mut answer = self.http.for_url(&url).get(url).send().await.map_err(transport)?;
        let status = answer.status();
        if !status.is_success() {
            let is_transient = status.is_server_error() || status.as_u16() == 429;
            return Err(FetchFailure { is_transient, reason: format!("HTTP status {}", status.as_u16()) });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(transport)? {
            if body.len() + chunk.len() > LARGEST_INPUT {
                let reason = format!("it is larger than {LARGEST_INPUT} bytes");
                return Err(FetchFailure { is_transient: false, reason });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

struct FetchFailure {
    is_transient: bool,
    reason: String,
}
