//! A function behind an HTTP endpoint that speaks Invoke, such as Lambda's runtime interface emulator in a
//! container.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use durable_runtime::protocol::ErrorObject;
use tokio::sync::Semaphore;

use super::{Call, failure, runtime_api::Reply};

pub(super) struct Remote {
    pub(super) url: reqwest::Url,
    client: reqwest::Client,
    timeout: Duration,
    slots: Semaphore,
}

impl Remote {
    pub(super) fn new(url: reqwest::Url, timeout: Duration, concurrency: usize) -> Self {
        let slots = Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS));
        Self { url, client: reqwest::Client::new(), timeout, slots }
    }

    pub(super) fn has_capacity(&self) -> bool {
        self.slots.available_permits() > 0
    }

    pub(super) async fn call(&self, call: Call) -> Reply {
        let _slot = self.slots.acquire().await.expect("nobody closes these slots");
        let request_id = call.request_id;
        let mut request = self
            .client
            .post(self.url.clone())
            .timeout(self.timeout)
            .header("content-type", "application/json")
            .header("x-amz-invocation-type", "RequestResponse")
            .header("lambda-runtime-aws-request-id", request_id.to_string())
            .header("x-amzn-trace-id", call.trace_header)
            .body(call.payload);
        if let Some(context) = call.client_context.map(|context| BASE64_STANDARD.encode(context)) {
            request = request.header("x-amz-client-context", context);
        }
        if let Some(tenant) = call.tenant {
            request = request.header("x-amz-tenant-id", tenant);
        }
        let failed = |error: reqwest::Error| {
            if error.is_timeout() {
                failure::timed_out(request_id, self.timeout)
            } else {
                ErrorObject::new(
                    "EndpointError",
                    format!("{} can't be invoked: {}", self.url, root_cause(&error)),
                )
            }
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let kind = response.headers().get("x-amz-function-error").cloned();
        let body = response.bytes().await.map_err(failed)?;
        if !status.is_success() {
            let message = format!("{} answered {status}: {}", self.url, String::from_utf8_lossy(&body));
            return Err(ErrorObject::new("EndpointError", message));
        }
        match kind {
            Some(kind) => Err(failure::reported(&body, kind.to_str().ok())),
            None => Ok(body),
        }
    }
}

/// The innermost reason: the outer ones only say that sending failed.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
