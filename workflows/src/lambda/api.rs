//! The workflow API behind a gateway: the routes of [`http`](crate::http), given events instead of connections.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::{self, Body},
    http::{HeaderMap, Request, Response},
};
use lambda_runtime::Service as _;
use serde_json::json;

use super::gateway::{self, NotARequest};
use crate::{host::Service, http::workflow_api};

/// Lambda's own limit of an answer.
const LARGEST_ANSWER: usize = 6 * 1024 * 1024;

/// The workflow API. It asks nobody who they are: the gateway's authorizer has to.
#[derive(Clone, Debug)]
pub struct Api(Router);

impl Api {
    /// The API of `service`.
    #[must_use]
    pub fn new(service: Arc<Service>) -> Self {
        Self(workflow_api(service))
    }

    /// Answers one event.
    ///
    /// # Errors
    ///
    /// The event is no request.
    pub async fn answer(&self, event: gateway::Event) -> Result<gateway::Response, NotARequest> {
        let request = gateway::Request::try_from(event)?;
        let request_id = request.request_id.clone();
        let Some(request) = http_request(request) else {
            return Ok(gateway::Response::json(400, &json!({ "error": "the request is no HTTP request" })));
        };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let Ok(response) = self.0.clone().call(request).await;
        let status = response.status().as_u16();
        tracing::info!(event_type = "api_request", request_id, %method, path, http_status = status);
        Ok(gateway_response(response).await)
    }
}

fn http_request(request: gateway::Request) -> Option<Request<Body>> {
    let target = match request.query.as_str() {
        "" => request.path,
        query => format!("{}?{query}", request.path),
    };
    let mut built = Request::builder().method(request.method.as_str()).uri(target);
    for (name, value) in &request.headers {
        built = built.header(name, value);
    }
    built.body(Body::from(request.body)).ok()
}

async fn gateway_response(response: Response<Body>) -> gateway::Response {
    let (parts, body) = response.into_parts();
    match body::to_bytes(body, LARGEST_ANSWER).await {
        Ok(bytes) => gateway::Response::bytes(parts.status.as_u16(), texts(&parts.headers), bytes.to_vec()),
        Err(error) => {
            tracing::error!(%error, "an answer could not be read");
            gateway::Response::json(500, &json!({ "error": "the answer is too large; ask for less" }))
        }
    }
}

fn texts(headers: &HeaderMap) -> BTreeMap<String, String> {
    let pairs = headers.iter();
    pairs.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}
