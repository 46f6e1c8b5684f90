//! One HTTP request and its answer.

use axum::body::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use reqwest::{Method, Request, StatusCode, Url, header::HeaderMap};
use serde_json::Value;

/// Everything but the unreserved characters, in path segments as in queries.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why a call did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{endpoint} can't be reached: {reason}{hint}")]
    Unreachable { endpoint: String, reason: String, hint: &'static str },
    /// The service's own words.
    #[error("{exception}: {message}")]
    Refused { exception: String, message: String },
    #[error("{url} answered what can't be understood: {problem}")]
    Answer { url: String, problem: String },
    #[error("{0}")]
    Usage(String),
}

/// A request, before it has an address.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    path: String,
    query: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Outgoing {
    /// A request for a path of these segments, each of which is encoded as a whole.
    pub(crate) fn new<'a>(method: Method, segments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            path.extend(percent_encode(segment.as_bytes(), RESERVED));
        }
        Self { method, path, query: String::new(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn query(mut self, key: &str, value: &str) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(key);
        self.query.push('=');
        self.query.extend(percent_encode(value.as_bytes(), RESERVED));
        self
    }

    pub(crate) fn query_if(self, key: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.query(key, value),
            None => self,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.headers.extend(value.map(|value| (name, value.to_owned())));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

/// An answer that is no refusal.
#[derive(Debug)]
pub(crate) struct Incoming {
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Incoming {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, ClientError> {
        serde_json::from_slice(&self.body).map_err(|error| self.unclear(&error.to_string()))
    }

    pub(crate) fn unclear(&self, problem: &str) -> ClientError {
        ClientError::Answer { url: self.url.to_string(), problem: problem.to_owned() }
    }
}

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Transport {
    base: Url,
    http: reqwest::Client,
    #[cfg(feature = "aws")]
    aws: Option<std::sync::Arc<super::aws::Signed>>,
}

impl Transport {
    pub(crate) fn new(base: Url) -> Self {
        Self {
            base,
            http: reqwest::Client::new(),
            #[cfg(feature = "aws")]
            aws: None,
        }
    }

    /// Signs every request.
    #[cfg(feature = "aws")]
    pub(super) fn signed(base: Url, aws: super::aws::Signed) -> Self {
        Self { aws: Some(std::sync::Arc::new(aws)), ..Self::new(base) }
    }

    /// True for AWS itself, which lacks what only `durable dev` has.
    pub(crate) fn is_aws(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn"]
            .iter()
            .any(|domain| host.ends_with(domain))
    }

    pub(crate) async fn send(&self, outgoing: Outgoing) -> Result<Incoming, ClientError> {
        let base = self.base.as_str().trim_end_matches('/');
        let address = format!("{base}{}{}", outgoing.path, outgoing.query);
        let url: Url = address.parse().map_err(|error| ClientError::Usage(format!("{address}: {error}")))?;
        let mut request = self.http.request(outgoing.method, url.clone()).body(outgoing.body);
        for (name, value) in outgoing.headers {
            request = request.header(name, value);
        }
        let request = request.build().map_err(|error| self.unreachable(&error))?;
        let (status, headers, body) = self.exchange(request).await?;
        if status.is_success() {
            return Ok(Incoming { url, headers, body });
        }
        Err(refusal(status, &headers, &body))
    }

    async fn exchange(&self, request: Request) -> Result<(StatusCode, HeaderMap, Bytes), ClientError> {
        #[cfg(feature = "aws")]
        if let Some(aws) = &self.aws {
            let request = aws.sign(request).await?;
            return aws.send(request).await.map_err(|error| self.unreachable(&*error));
        }
        let unreachable = |error| self.unreachable(&error);
        let response = self.http.execute(request).await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((status, headers, response.bytes().await.map_err(unreachable)?))
    }

    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ClientError {
        ClientError::Unreachable {
            endpoint: self.base.to_string(),
            reason: innermost(error),
            hint: if self.is_aws() { "" } else { "; is `durable dev` running?" },
        }
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> ClientError {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let exception = headers.get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    ClientError::Refused {
        // AWS may add a namespace after a colon.
        exception: exception
            .and_then(|name| name.split(':').next())
            .map_or_else(|| format!("HTTP status {status}"), str::to_owned),
        message: text("message")
            .or_else(|| text("Message"))
            .unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
    }
}

pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_queries_are_encoded_as_aws_clients_do() {
        let request = Outgoing::new(Method::GET, ["2025-12-01", "a:b/$LATEST", "state"])
            .query("CheckpointToken", "a+/=")
            .query_if("Marker", None)
            .query("MaxItems", "5");
        assert_eq!(request.path, "/2025-12-01/a%3Ab%2F%24LATEST/state");
        assert_eq!(request.query, "?CheckpointToken=a%2B%2F%3D&MaxItems=5");
    }
}
