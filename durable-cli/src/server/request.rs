//! A request, taken apart: decoded path segments, query, headers, body.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Method, request::Parts},
};
use durable_runtime::protocol::Timestamp;
use percent_encoding::percent_decode_str;

use super::error::{ApiError, Exception};
use crate::http::{BodyError, read_body};

/// The largest page that the API model allows.
const MAX_ITEMS: usize = 1000;
/// Items of a page when the caller does not say.
const DEFAULT_ITEMS: usize = 100;

pub(crate) struct ApiRequest {
    pub(crate) method: Method,
    /// Decoded one by one: an encoded `/` belongs to a segment.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl ApiRequest {
    /// A request without its body.
    pub(crate) fn of_head(parts: Parts) -> Result<Self, ApiError> {
        let segments = parts
            .uri
            .path()
            .trim_start_matches('/')
            .split('/')
            .map(|segment| decode(segment, "a path segment"))
            .collect::<Result<_, _>>()?;
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        Ok(Self { method: parts.method, segments, query, headers: parts.headers, body: Bytes::new() })
    }

    /// Reads the body, which has at most `limit` bytes and is there after `patience`.
    pub(crate) async fn read(
        &mut self,
        body: Body,
        limit: usize,
        patience: Duration,
    ) -> Result<(), ApiError> {
        self.body = read_body(body, limit, patience).await.map_err(|error| match error {
            BodyError::TooLarge => ApiError::new(
                Exception::RequestTooLarge,
                format!("Request must be smaller than {limit} bytes for this operation"),
            ),
            BodyError::TooSlow => ApiError::new(
                Exception::RequestTimeout,
                format!("the body did not come within {} seconds", patience.as_secs_f64()),
            ),
            BodyError::Broken => ApiError::invalid("the body ended before its end, or is encoded wrongly"),
        })?;
        Ok(())
    }

    /// A header's text; `None` when it is absent or empty.
    pub(crate) fn header(&self, name: &str) -> Result<Option<&str>, ApiError> {
        let Some(value) = self.headers.get(name) else { return Ok(None) };
        let text = value.to_str().map_err(|_| ApiError::invalid(format!("{name} is not ASCII text")))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

/// A query's keys and values, in order. `+` is a plus sign: clients of the API send spaces as `%20`, and tokens
/// contain plus signs.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    fn parse(text: &str) -> Result<Self, ApiError> {
        text.split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(key, "the query")?, decode(value, "the query")?))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The first value of `key`; `None` when it is absent or empty.
    pub(crate) fn get<'a>(&'a self, key: &'a str) -> Option<&'a str> {
        self.all(key).next().filter(|value| !value.is_empty())
    }

    pub(crate) fn flag(&self, key: &str, default: bool) -> Result<bool, ApiError> {
        match self.get(key) {
            None => Ok(default),
            Some("true" | "True") => Ok(true),
            Some("false" | "False") => Ok(false),
            Some(other) => Err(ApiError::invalid(format!("{key} is true or false, not '{other}'"))),
        }
    }

    pub(crate) fn max_items(&self) -> Result<usize, ApiError> {
        let refused = |text: &str| {
            ApiError::invalid(format!("MaxItems is a number from 0 to {MAX_ITEMS}, not '{text}'"))
        };
        match self.get("MaxItems") {
            None => Ok(DEFAULT_ITEMS),
            Some(text) => match text.parse::<usize>() {
                Ok(0) => Ok(DEFAULT_ITEMS),
                Ok(items) if items <= MAX_ITEMS => Ok(items),
                _ => Err(refused(text)),
            },
        }
    }

    /// A marker of ours, which is always a number. The engine would begin anew for any other one.
    pub(crate) fn number_marker(&self) -> Result<Option<String>, ApiError> {
        match self.get("Marker") {
            None => Ok(None),
            Some(marker) if marker.parse::<i64>().is_ok_and(|number| number >= 0) => Ok(Some(marker.into())),
            Some(_) => Err(ApiError::invalid("Invalid marker")),
        }
    }

    pub(crate) fn moment(&self, key: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let refused = || ApiError::invalid(format!("{key} is an ISO 8601 timestamp, not '{text}'"));
        Timestamp::parse_iso(text).map(Some).ok_or_else(refused)
    }
}

fn decode(text: &str, place: &str) -> Result<String, ApiError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| ApiError::invalid(format!("{place} is not UTF-8 when decoded")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plus_sign_in_a_query_stays_one_and_keys_may_repeat() {
        let query = Query::parse("CheckpointToken=a+b%2B%2F%3D&Statuses=RUNNING&Statuses=FAILED").unwrap();
        assert_eq!(query.get("CheckpointToken"), Some("a+b+/="));
        assert_eq!(query.all("Statuses").collect::<Vec<_>>(), ["RUNNING", "FAILED"]);
        assert_eq!(query.get("Marker"), None);
    }

    #[test]
    fn page_sizes_have_bounds_and_a_default() {
        let items = |text: &str| Query::parse(text).unwrap().max_items().ok();
        assert_eq!(items(""), Some(100));
        assert_eq!(items("MaxItems=0"), Some(100));
        assert_eq!(items("MaxItems=1000"), Some(1000));
        assert_eq!(items("MaxItems=1001"), None);
        assert_eq!(items("MaxItems=-1"), None);
    }

    #[test]
    fn only_our_own_markers_pass() {
        let marker = |text: &str| Query::parse(text).unwrap().number_marker().ok();
        assert_eq!(marker(""), Some(None));
        assert_eq!(marker("Marker=12"), Some(Some("12".into())));
        assert_eq!(marker("Marker=xyz"), None);
        assert_eq!(marker("Marker=-1"), None);
    }
}
