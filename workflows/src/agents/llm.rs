//! A client for OpenAI-compatible chat endpoints: one question, one answer.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde_json::json;

use super::config::check_url;
use super::outcome::{AgentFailure, FailureKind};
use super::{AgentsError, LlmConfig};
use crate::a2a::{HttpClients, describe_transport_error, redact_url};

/// A large model on a small machine takes minutes for a report.
const TIMEOUT: Duration = Duration::from_secs(15 * 60);
const ATTEMPTS: u32 = 3;

/// A model behind a chat endpoint.
#[derive(Debug, Clone)]
pub(super) struct ChatModel {
    url: Url,
    config: LlmConfig,
    http: HttpClients,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: ChoiceMessage,
}

#[derive(Deserialize)]
struct ChoiceMessage {
    content: Option<String>,
}

impl ChatModel {
    pub(super) fn new(config: LlmConfig) -> Result<Self, AgentsError> {
        let url = format!("{}/chat/completions", config.base_url.trim_end_matches('/'));
        let url = check_url("model's base URL", &url)?;
        Ok(Self { url, config, http: HttpClients::new(TIMEOUT) })
    }

    /// The model's answer to `question`, given `instructions`.
    pub(super) async fn complete(&self, instructions: &str, question: &str) -> Result<String, AgentFailure> {
        let body = json!({
            "model": self.config.model,
            "messages": [
                { "role": "system", "content": instructions },
                { "role": "user", "content": question },
            ],
            "temperature": 0.2,
            "stream": false,
        });
        let mut attempt = 1;
        loop {
            match self.ask(&body).await {
                Ok(answer) => return Ok(answer),
                Err((true, reason)) if attempt < ATTEMPTS => {
                    tracing::warn!(reason, attempt, "the model did not answer; will ask again");
                    tokio::time::sleep(Duration::from_secs(1) * 2_u32.pow(attempt - 1)).await;
                    attempt += 1;
                }
                Err((_, reason)) => {
                    let message = format!("the model `{}` gave no report: {reason}", self.config.model);
                    return Err(AgentFailure::new(FailureKind::Model, message));
                }
            }
        }
    }

    /// One attempt; an error says whether another may help.
    async fn ask(&self, body: &serde_json::Value) -> Result<String, (bool, String)> {
        let mut request = self.http.for_url(&self.url).post(self.url.clone()).json(body);
        if let Some(api_key) = &self.config.api_key {
            request = request.bearer_auth(api_key);
        }
        let transport =
            |error| (true, format!("{}: {}", redact_url(self.url.as_str()), describe_transport_error(error)));
        let answer = request.send().await.map_err(transport)?;
        let status = answer.status();
        if !status.is_success() {
            let is_transient = status.is_server_error() || status.as_u16() == 429;
            return Err((is_transient, format!("HTTP status {}", status.as_u16())));
        }
        let body = answer.bytes().await.map_err(transport)?;
        let completion: Completion = serde_json::from_slice(&body)
            .map_err(|error| (false, format!("the answer is no chat completion: {error}")))?;
        let content = completion.choices.into_iter().next().and_then(|choice| choice.message.content);
        content.ok_or_else(|| (false, "the answer has no text".to_owned()))
    }
}
