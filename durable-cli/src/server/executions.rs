//! Checkpoint, state, get, history and list.

use axum::{body::Body, http::Response};
use durable_engine::{
    ExecutionList, ExecutionStatus, HistoryPage, ListFilter,
    service::{ExecutionArn, function_arn, function_of_reference},
};
use durable_runtime::{
    protocol::{ExecutionState, OperationUpdate},
    service::{CheckpointRequest, DurableService as _, StateRequest},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    Service,
    error::{ApiError, Exception},
    json_response,
    request::{ApiRequest, Query},
    view,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CheckpointBody {
    checkpoint_token: String,
    updates: Option<Vec<OperationUpdate>>,
    client_token: Option<String>,
}

impl Service {
    pub(super) async fn checkpoint(
        &self,
        arn: &str,
        request: &ApiRequest,
    ) -> Result<Response<Body>, ApiError> {
        let body = read_checkpoint(&request.body)?;
        let answer = self
            .engine
            .checkpoint(CheckpointRequest {
                durable_execution_arn: checked_arn(arn)?.to_owned(),
                checkpoint_token: body.checkpoint_token,
                updates: body.updates.unwrap_or_default(),
                client_token: body.client_token,
            })
            .await?;
        Ok(json_response(&view::object([
            // Absent once the checkpoint has ended the execution: SDKs take that as the sign.
            ("CheckpointToken", answer.checkpoint_token.map(Value::from)),
            ("NewExecutionState", Some(view::in_seconds(&answer.new_execution_state)?)),
        ])))
    }

    /// The engine cuts its pages by its own limits; a smaller page of the caller's is cut out of one of these.
    pub(super) async fn state(&self, arn: &str, query: &Query) -> Result<Response<Body>, ApiError> {
        let items = query.max_items()?;
        let token = query.get("CheckpointToken");
        let token = token.ok_or_else(|| ApiError::invalid("CheckpointToken is missing in the query"))?;
        let (marker, skip) = match query.get("Marker") {
            None => ("", 0),
            Some(marker) => state_marker(marker).ok_or_else(|| ApiError::invalid("Invalid marker"))?,
        };
        let page = self.engine.execution_state(StateRequest {
            durable_execution_arn: checked_arn(arn)?.to_owned(),
            checkpoint_token: token.to_owned(),
            marker: marker.to_owned(),
        });
        let page = page.await?;
        let rest = page.operations.len().saturating_sub(skip);
        let next_marker =
            if rest > items { Some(format!("{marker}.{}", skip + items)) } else { page.next_marker };
        let operations = page.operations.into_iter().skip(skip).take(items).collect();
        Ok(json_response(&view::in_seconds(&ExecutionState { operations, next_marker })?))
    }

    pub(super) async fn get_execution(&self, arn: &str, query: &Query) -> Result<Response<Body>, ApiError> {
        let with_data = query.flag("IncludeExecutionData", true)?;
        let execution = self.engine.get(checked_arn(arn)?).await?;
        let retention = self.retentions.in_days(&execution.function);
        Ok(json_response(&view::execution(&execution, retention, with_data)))
    }

    pub(super) async fn history(&self, arn: &str, query: &Query) -> Result<Response<Body>, ApiError> {
        let with_data = query.flag("IncludeExecutionData", true)?;
        let page = HistoryPage {
            marker: query.number_marker()?,
            limit: query.max_items()?,
            newest_first: query.flag("ReverseOrder", false)?,
        };
        let history = self.engine.history(checked_arn(arn)?, page).await?;
        let events = history
            .events
            .into_iter()
            .map(|event| view::in_seconds(&if with_data { event } else { event.without_data() }))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(json_response(&with_marker("Events", events.into(), history.next)))
    }

    pub(super) async fn list_executions(
        &self,
        function: &str,
        query: &Query,
    ) -> Result<Response<Body>, ApiError> {
        let function = function_of_reference(function).to_owned();
        let wanted = query.all("Statuses").map(status).collect::<Result<Vec<_>, _>>()?;
        let statuses: Vec<_> = wanted.iter().copied().flatten().collect();
        let finds_none = statuses.is_empty() && !wanted.is_empty();
        let filter = ListFilter {
            function: Some(function.clone()),
            name: query.get("DurableExecutionName").map(Into::into),
            statuses,
            started_after: query.moment("StartedAfter")?,
            started_before: query.moment("StartedBefore")?,
            oldest_first: query.flag("ReverseOrder", false)?,
            marker: query.number_marker()?,
            limit: query.max_items()?,
        };
        let list = if finds_none { ExecutionList::default() } else { self.engine.list(filter).await? };
        // The executions of a function that was removed from the table can still be looked at.
        if list.executions.is_empty() && !self.functions.contains(&function) {
            return Err(self.unknown_function(&function));
        }
        let executions = list.executions.iter().map(view::list_item).collect();
        Ok(json_response(&with_marker("DurableExecutions", executions, list.next)))
    }
}

/// The engine also finds executions by id and by name; this API does not.
pub(super) fn checked_arn(arn: &str) -> Result<&str, ApiError> {
    if ExecutionArn::parse(arn).is_some() {
        return Ok(arn);
    }
    Err(ApiError::invalid(format!(
        "'{arn}' is not the ARN of a durable execution: \
         arn:…:function:<function>:<version>/durable-execution/<name>/<id>, percent-encoded in the path"
    )))
}

/// The status with this name; `None` for that of executions which are being deleted, for that takes no time here.
fn status(name: &str) -> Result<Option<ExecutionStatus>, ApiError> {
    const DELETING: &str = "DELETING";
    if name == DELETING {
        return Ok(None);
    }
    let known = ExecutionStatus::ALL.into_iter().find(|status| status.as_str() == name);
    known.map(Some).ok_or_else(|| {
        let all = ExecutionStatus::ALL.map(ExecutionStatus::as_str).join(", ");
        ApiError::invalid(format!("Statuses are {all} and {DELETING}; not '{name}'"))
    })
}

/// `<the engine's marker>` or `<the engine's marker>.<operations of that page to skip>`.
fn state_marker(marker: &str) -> Option<(&str, usize)> {
    match marker.split_once('.') {
        None => Some((marker, 0)),
        Some((engine, skip)) => Some((engine, skip.parse().ok()?)),
    }
}

fn with_marker(name: &str, items: Value, next: Option<String>) -> Value {
    view::object([(name, Some(items)), ("NextMarker", next.map(Value::from))])
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // `serde` also reads an object from the list of its members, which no client means.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(ApiError::invalid("the body can't be read: it is a list, not an object"));
    }
    serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("the body can't be read: {error}")))
}

/// JavaScript's SDK sends fractions of seconds where the model has integers: they are cut off. That costs a
/// second look at the body, so only a body that can't be read otherwise gets one.
fn read_checkpoint(body: &[u8]) -> Result<CheckpointBody, ApiError> {
    parse(body).or_else(|refused| {
        let mut value: Value = parse(body)?;
        cut_fractions(&mut value);
        serde_json::from_value(value).map_err(|_| refused)
    })
}

fn cut_fractions(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(cut_fractions),
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_f64() {
                    // Saturates; what is out of bounds is refused by its own check.
                    Some(number) if name.ends_with("Seconds") => *member = (number as i64).into(),
                    _ => cut_fractions(member),
                }
            }
        }
        _ => {}
    }
}

impl Service {
    pub(super) fn unknown_function(&self, function: &str) -> ApiError {
        let known = self.functions.names().join(", ");
        let arn = function_arn(&self.region, function);
        // As AWS says it: without the version.
        let arn = arn.strip_suffix(":$LATEST").unwrap_or(&arn);
        let message = format!("Function not found: {arn}; this server has: {known}");
        ApiError::new(Exception::ResourceNotFound, message)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fractions_of_seconds_are_cut_off() {
        let body = json!({
            "CheckpointToken": "t",
            "Updates": [{ "Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": { "WaitSeconds": 2.9 } }],
        });
        let body = read_checkpoint(body.to_string().as_bytes()).unwrap();
        let updates = body.updates.unwrap();
        assert_eq!(updates[0].wait_options.unwrap().wait_seconds, 2);
    }

    #[test]
    fn a_body_of_another_shape_is_refused_with_the_place() {
        let refused = read_checkpoint(br#"{"Updates": []}"#).err().unwrap();
        assert!(format!("{refused:?}").contains("CheckpointToken"), "{refused:?}");
    }
}
