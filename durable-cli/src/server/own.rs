//! What only this server has: its functions and what they wrote.

use axum::{body::Body, http::Response};
use durable_engine::service::ExecutionArn;
use serde_json::{Value, json};

use super::{Service, error::ApiError, json_response, request::Query};

impl Service {
    pub(super) fn list_functions(&self) -> Response<Body> {
        let functions: Vec<Value> = self
            .functions
            .iter()
            .map(|(name, function)| {
                json!({ "FunctionName": name, "Durable": function.is_durable(), "Host": function.host() })
            })
            .collect();
        json_response(&json!({ "Functions": functions }))
    }

    /// Lines from the `Marker`-th on. The marker of the next page is always given: more lines may come.
    pub(super) async fn execution_logs(&self, arn: &str, query: &Query) -> Result<Response<Body>, ApiError> {
        // Also tells an execution without a log from no execution.
        let execution = self.engine.get(arn).await?;
        let id =
            ExecutionArn::parse(&execution.arn).map_or_else(|| execution.id.clone(), |arn| arn.id.to_owned());
        let first = query.number_marker()?.and_then(|marker| marker.parse().ok()).unwrap_or(0_usize);
        let lines = self.logs.read(&id).await;
        let page: Vec<_> = lines.iter().skip(first).take(query.max_items()?).collect();
        let next = first + page.len();
        Ok(json_response(&json!({
            "Lines": page,
            "NextMarker": next.to_string(),
            "HasMore": next < lines.len(),
        })))
    }
}
