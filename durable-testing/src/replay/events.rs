//! Histories as they are exported: by the engine, by `durable history --json`, by
//! `aws lambda get-durable-execution-history`.

use durable_engine::service::Event;
use serde_json::Value;

/// Timestamps below this are seconds, as AWS and its CLI write them; the others are milliseconds.
const SECONDS: f64 = 100_000_000_000.0;

/// Reads the events, in order.
pub(super) fn read(json: &str) -> Result<Vec<Event>, String> {
    let history: Value = serde_json::from_str(json).map_err(|error| format!("it is not JSON: {error}"))?;
    let events = match history {
        Value::Array(events) => events,
        Value::Object(mut history) => {
            if history.get("NextMarker").and_then(Value::as_str).is_some_and(|marker| !marker.is_empty()) {
                return Err("it is the first page of several: export all pages".to_owned());
            }
            match history.remove("Events") {
                Some(Value::Array(events)) => events,
                _ => return Err("it has no `Events`".to_owned()),
            }
        }
        _ => return Err("it is neither an object with `Events` nor an array of events".to_owned()),
    };
    let mut events = events.into_iter().enumerate().map(read_event).collect::<Result<Vec<_>, _>>()?;
    // Exported newest first, perhaps.
    events.sort_by_key(|event| event.event_id);
    Ok(events)
}

fn read_event((index, mut event): (usize, Value)) -> Result<Event, String> {
    normalise("", &mut event);
    if is_truncated(&event) {
        return Err(format!(
            "event {} comes without its data; export the history with its execution data \
             (`--include-execution-data`)",
            index + 1
        ));
    }
    let kind = event.get("EventType").and_then(Value::as_str).unwrap_or("without a type").to_owned();
    serde_json::from_value(event)
        .map_err(|error| format!("event {} ({kind}) can't be read: {error}", index + 1))
}

/// Brings the members that differ between exports into one form.
fn normalise(name: &str, value: &mut Value) {
    match value {
        Value::Object(members) => {
            if matches!(name, "Result" | "Error" | "Input") && !members.contains_key("Truncated") {
                members.insert("Truncated".to_owned(), Value::Bool(false));
            }
            for (name, member) in members {
                normalise(name, member);
            }
        }
        Value::Number(number) if name.ends_with("Timestamp") => {
            if let Some(moment) = number.as_f64() {
                let millis = if moment.abs() < SECONDS { moment * 1000.0 } else { moment };
                *value = Value::from(millis.round() as i64);
            }
        }
        _ => {}
    }
}

fn is_truncated(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.get("Truncated") == Some(&Value::Bool(true)) || members.values().any(is_truncated)
        }
        _ => false,
    }
}
