//! The REST form of the wire types: timestamps in seconds instead of milliseconds.

use durable_engine::{ExecutionSummary, Pause};
use durable_runtime::protocol::Timestamp;
use serde::Serialize;
use serde_json::{Number, Value, json};

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

/// A JSON object without the members that are absent: the service never writes `null`.
pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Value {
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect())
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
pub(crate) fn list_item(execution: &ExecutionSummary) -> Value {
    object(description(execution))
}

/// An execution by itself.
pub(crate) fn execution(execution: &ExecutionSummary, retention_days: Option<u64>, with_data: bool) -> Value {
    let config = object([
        ("ExecutionTimeout", Some(json!(execution.timeout_seconds))),
        ("RetentionPeriodInDays", retention_days.map(Value::from)),
    ]);
    let data = [
        ("InputPayload", execution.input.as_ref().map(|input| json!(input))),
        ("Result", execution.result.as_ref().map(|result| json!(result))),
        ("Error", execution.error.as_ref().map(|error| json!(error))),
    ];
    let rest = [
        ("Version", Some(json!(VERSION))),
        ("DurableConfig", Some(config)),
        ("TraceHeader", execution.trace_header.as_ref().map(|header| json!({ "XAmznTraceId": header }))),
        ("PauseDetails", execution.pause.as_ref().map(|pause| pause_details(pause, with_data))),
        ("ExpectedExecutionTimeoutTimestamp", execution.times_out_at.map(seconds)),
        ("ExecutionDataIncluded", Some(json!(with_data))),
    ];
    object(description(execution).into_iter().chain(rest).chain(data.into_iter().filter(|_| with_data)))
}

fn pause_details(pause: &Pause, with_data: bool) -> Value {
    object([
        ("PauseRequestTimestamp", Some(seconds(pause.requested_at))),
        ("Reason", pause.reason.as_ref().filter(|_| with_data).map(|reason| json!(reason))),
        ("ExecutionTimeoutPaused", Some(json!(!pause.time_limit_goes_on))),
    ])
}

fn description(execution: &ExecutionSummary) -> [(&'static str, Option<Value>); 6] {
    [
        ("DurableExecutionArn", Some(json!(execution.arn))),
        ("DurableExecutionName", Some(json!(execution.name))),
        ("FunctionArn", Some(json!(function_arn(&execution.arn)))),
        ("Status", Some(json!(execution.status))),
        ("StartTimestamp", Some(seconds(execution.started_at))),
        ("EndTimestamp", execution.ended_at.map(seconds)),
    ]
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
