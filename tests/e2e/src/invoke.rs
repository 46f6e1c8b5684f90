//! Lambda's Invoke, at the development server.

use anyhow::Result;
use axum::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, StatusCode};

/// Calls functions by their name and qualifier.
#[derive(Clone, Debug)]
pub struct Invoke {
    client: Client,
    endpoint: String,
}

/// Why a call has no result.
#[derive(Debug)]
pub enum InvokeError {
    /// The payload is larger than Lambda takes.
    TooLarge,
    /// The function failed.
    Failed(String),
    /// Lambda did not take the call.
    Unavailable(String),
}

impl Invoke {
    /// Calls at an endpoint such as `http://127.0.0.1:9014`.
    ///
    /// # Errors
    ///
    /// The HTTP client can't be made.
    pub fn at(endpoint: &str) -> Result<Self> {
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { client, endpoint: endpoint.trim_end_matches('/').to_owned() })
    }

    /// Calls `function` and waits for its result.
    ///
    /// # Errors
    ///
    /// There is none, see [`InvokeError`].
    pub async fn call(&self, function: &str, payload: Bytes) -> Result<Bytes, InvokeError> {
        let unavailable = |error: reqwest::Error| InvokeError::Unavailable(error.to_string());
        let function = utf8_percent_encode(function, NON_ALPHANUMERIC);
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.endpoint);
        let response = self.client.post(url).body(payload).send().await.map_err(unavailable)?;
        let status = response.status();
        let has_failed = response.headers().contains_key("x-amz-function-error");
        let body = response.bytes().await.map_err(unavailable)?;
        let text = || String::from_utf8_lossy(&body).into_owned();
        match status {
            StatusCode::PAYLOAD_TOO_LARGE => Err(InvokeError::TooLarge),
            status if !status.is_success() => Err(InvokeError::Unavailable(format!("{status}: {}", text()))),
            _ if has_failed => Err(InvokeError::Failed(text())),
            _ => Ok(body),
        }
    }
}
