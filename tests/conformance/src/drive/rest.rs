//! The functions behind the public REST API, wherever that is.
//!
//! Requests are not signed: for a service that checks signatures, put a signing proxy in between.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder, Response};
use serde::Deserialize;
use serde_json::Value;

use crate::judge::{Ended, Endpoint, LogRecord, Message};

const EXECUTION_ARN: &str = "x-amz-durable-execution-arn";
/// How long a request may take: a synchronous invocation lasts until the end of its execution.
const PATIENCE: Duration = Duration::from_secs(300);
/// What stays as it is in the segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Where logs are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// At the development server, which keeps what functions write.
    DevelopmentServer,
    /// Nowhere that this program can look.
    Unknown,
}

/// The REST API of Lambda durable executions at some URL.
#[derive(Clone, Debug)]
pub struct RestEndpoint {
    client: Client,
    base: String,
    logs: Logs,
}

impl RestEndpoint {
    /// The API at `url`, such as `http://127.0.0.1:9014`.
    ///
    /// # Errors
    ///
    /// The HTTP client can't be made.
    pub fn new(url: &str, logs: Logs) -> Result<Self> {
        let client = Client::builder().timeout(PATIENCE).build().context("can't make an HTTP client")?;
        Ok(Self { client, base: url.trim_end_matches('/').to_owned(), logs })
    }

    fn url(&self, segments: &[&str]) -> String {
        let mut url = self.base.clone();
        for segment in segments {
            url.push('/');
            url.extend(utf8_percent_encode(segment, SEGMENT));
        }
        url
    }

    fn execution_url(&self, arn: &str, more: &[&str]) -> String {
        let segments: Vec<&str> =
            ["2025-12-01", "durable-executions", arn].iter().chain(more).copied().collect();
        self.url(&segments)
    }

    async fn log_lines(&self, arn: &str) -> Result<Vec<String>> {
        let url = self.url(&["_durable", "durable-executions", arn, "logs"]);
        let mut lines = Vec::new();
        let mut marker = "0".to_owned();
        loop {
            let query = [("Marker", marker.as_str()), ("MaxItems", "1000")];
            let page: LogPage = parse(self.client.get(with_query(&url, &query))).await?;
            lines.extend(page.lines.into_iter().map(|line| line.text));
            if !page.has_more {
                return Ok(lines);
            }
            marker = page.next_marker;
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HistoryPage {
    events: Vec<Value>,
    #[serde(default)]
    next_marker: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Execution {
    status: String,
    #[serde(default)]
    result: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogPage {
    lines: Vec<LogLine>,
    next_marker: String,
    has_more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LogLine {
    text: String,
}

impl Endpoint for RestEndpoint {
    async fn invoke(&self, function: &str, input: &Value, waits: bool) -> Result<String> {
        let url = self.url(&["2015-03-31", "functions", function, "invocations"]);
        let request = self
            .client
            .post(with_query(&url, &[("Qualifier", "$LATEST")]))
            .header("X-Amz-Invocation-Type", if waits { "RequestResponse" } else { "Event" })
            .body(input.to_string());
        let response = send(request).await?;
        let arn = response.headers().get(EXECUTION_ARN).and_then(|arn| arn.to_str().ok());
        Ok(arn
            .with_context(|| format!("the answer to the invocation of {function} names no execution"))?
            .to_owned())
    }

    async fn events(&self, execution_arn: &str) -> Result<Vec<Value>> {
        let url = self.execution_url(execution_arn, &["history"]);
        let mut events = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let mut query = vec![("IncludeExecutionData", "true"), ("MaxItems", "1000")];
            query.extend(marker.as_deref().map(|marker| ("Marker", marker)));
            let page: HistoryPage = parse(self.client.get(with_query(&url, &query))).await?;
            events.extend(page.events);
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(events);
            }
        }
    }

    async fn execution(&self, execution_arn: &str) -> Result<Ended> {
        let execution: Execution = parse(self.client.get(self.execution_url(execution_arn, &[]))).await?;
        Ok(Ended { status: execution.status, result: execution.result })
    }

    async fn send(&self, callback_id: &str, message: &Message) -> Result<()> {
        let url = |verb| self.url(&["2025-12-01", "durable-execution-callbacks", callback_id, verb]);
        let request = match message {
            Message::Success(None) => self.client.post(url("succeed")),
            Message::Success(Some(result)) => self.client.post(url("succeed")).body(result.clone()),
            Message::Failure(error) => {
                self.client.post(url("fail")).body(Value::Object(error.clone()).to_string())
            }
            Message::Heartbeat => self.client.post(url("heartbeat")),
        };
        send(request).await.map(drop)
    }

    async fn logs(&self, _: &str, execution_arn: &str) -> Result<Option<Vec<LogRecord>>> {
        if self.logs == Logs::Unknown {
            return Ok(None);
        }
        let lines = self.log_lines(execution_arn).await?;
        let records = lines.iter().zip(0..).map(|(line, order)| LogRecord::parse(line, order));
        // A line belongs to an execution when it says so: that is how it would be found in CloudWatch.
        Ok(Some(records.filter(|record| record.execution_arn() == Some(execution_arn)).collect()))
    }
}

/// `url` with a query. Markers and qualifiers are plain text.
fn with_query(url: &str, query: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        query.iter().map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, SEGMENT))).collect();
    format!("{url}?{}", pairs.join("&"))
}

async fn parse<T: for<'de> Deserialize<'de>>(request: RequestBuilder) -> Result<T> {
    let response = send(request).await?;
    let url = response.url().clone();
    response.json().await.with_context(|| format!("the answer of {url} can't be read"))
}

async fn send(request: RequestBuilder) -> Result<Response> {
    let response = request.send().await?;
    let status = response.status();
    if !status.is_success() {
        let url = response.url().clone();
        bail!("{url} answered {status}: {}", response.text().await.unwrap_or_default());
    }
    Ok(response)
}
