//! The REST form of the wire types: timestamps in seconds instead of milliseconds.

use durable_engine::ExecutionSummary;
use durable_runtime::protocol::Timestamp;
use serde::Serialize;
use serde_json::{Map, Number, Value, json};

use super::error::{ApiError, Exception};

/// The version that every local function has.
pub(crate) const VERSION: &str = "$LATEST";

/// `value` as JSON with its timestamps in seconds. Members are timestamps exactly when their names end with
/// `Timestamp`; users' payloads are text inside of the wire types, so that nothing of theirs has members.
pub(crate) fn in_seconds(value: &impl Serialize) -> Result<Value, ApiError> {
    let mut value = serde_json::to_value(value)
        .map_err(|error| ApiError::new(Exception::Service, format!("the answer is no JSON: {error}")))?;
    convert(&mut value);
    Ok(value)
}

fn convert(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(convert),
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_i64() {
                    Some(millis) if name.ends_with("Timestamp") => {
                        *member = seconds(Timestamp::from_millis(millis));
                    }
                    _ => convert(member),
                }
            }
        }
        _ => {}
    }
}

/// A moment as JSON: whole seconds as an integer, others with their fraction.
pub(crate) fn seconds(moment: Timestamp) -> Value {
    let millis = moment.as_millis();
    if millis % 1000 == 0 {
        return (millis / 1000).into();
    }
    Number::from_f64(millis as f64 / 1000.0).map_or(Value::Null, Value::Number)
}

/// An execution in a list.
pub(crate) fn list_item(execution: &ExecutionSummary) -> Map<String, Value> {
    let mut item = Map::new();
    item.insert("DurableExecutionArn".into(), json!(execution.arn));
    item.insert("DurableExecutionName".into(), json!(execution.name));
    item.insert("FunctionArn".into(), json!(function_arn(&execution.arn)));
    item.insert("Status".into(), json!(execution.status));
    item.insert("StartTimestamp".into(), seconds(execution.started_at));
    if let Some(ended_at) = execution.ended_at {
        item.insert("EndTimestamp".into(), seconds(ended_at));
    }
    item
}

/// An execution by itself.
pub(crate) fn execution(execution: &ExecutionSummary, with_data: bool) -> Result<Value, ApiError> {
    let mut item = list_item(execution);
    item.insert("Version".into(), json!(VERSION));
    item.insert("DurableConfig".into(), json!({ "ExecutionTimeout": execution.timeout_seconds }));
    item.insert("ExecutionDataIncluded".into(), json!(with_data));
    if with_data {
        if let Some(input) = &execution.input {
            item.insert("InputPayload".into(), json!(input));
        }
        if let Some(result) = &execution.result {
            item.insert("Result".into(), json!(result));
        }
        if let Some(error) = &execution.error {
            item.insert("Error".into(), in_seconds(error)?);
        }
    }
    Ok(Value::Object(item))
}

/// The function's ARN, with its qualifier, inside of an execution's ARN.
fn function_arn(execution_arn: &str) -> &str {
    execution_arn.split("/durable-execution/").next().unwrap_or(execution_arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_become_seconds_wherever_they_are_and_nothing_else_changes() {
        let value = json!({
            "EventTimestamp": 1_764_802_628_830_i64,
            "EventId": 5,
            "WaitStartedDetails": { "Duration": 2, "ScheduledEndTimestamp": 1_764_802_630_000_i64 },
            "Operations": [{ "StartTimestamp": 1 }],
        });
        let expected = json!({
            "EventTimestamp": 1_764_802_628.83,
            "EventId": 5,
            "WaitStartedDetails": { "Duration": 2, "ScheduledEndTimestamp": 1_764_802_630 },
            "Operations": [{ "StartTimestamp": 0.001 }],
        });
        assert_eq!(in_seconds(&value).unwrap(), expected);
    }
}
