//! A history against the events that are expected in it.

use serde_json::{Map, Value};

use super::{
    pattern::{Mismatch, match_members},
    variables::Variables,
};

/// Compares by event id; events and members that nothing is expected of are not looked at.
pub(super) fn match_history(
    expected: &[Map<String, Value>],
    events: &[Value],
    variables: &mut Variables,
) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    for expected in expected {
        let id = expected.get("EventId").and_then(Value::as_u64);
        let Some(id) = id else {
            mismatches.push(Mismatch("the requirement has an event without EventId".to_owned()));
            continue;
        };
        let actual = events.iter().filter_map(Value::as_object).find(|event| event_id(event) == Some(id));
        match actual {
            Some(actual) => {
                match_members(expected, actual, &format!("event {id}"), variables, &mut mismatches);
            }
            None => {
                let kind = expected.get("EventType").and_then(Value::as_str).unwrap_or("event");
                mismatches.push(Mismatch(format!("event {id} is missing, expected {kind}")));
            }
        }
    }
    mismatches
}

fn event_id(event: &Map<String, Value>) -> Option<u64> {
    event.get("EventId").and_then(Value::as_u64)
}

/// Gives operations inside of a `WaitForCallback` that have no name the name of their context: SDKs differ in how
/// they name these, and requirements don't say.
pub(super) fn name_inner_operations(events: &mut [Value]) {
    const INNER: [&str; 3] = ["CallbackStarted", "StepStarted", "StepSucceeded"];
    let contexts: Vec<(Value, Value)> = events
        .iter()
        .filter(|event| text(event, "SubType") == Some("WaitForCallback"))
        .filter_map(|event| Some((event.get("Id")?.clone(), event.get("Name")?.clone())))
        .collect();
    for event in events {
        let is_inner = text(event, "EventType").is_some_and(|kind| INNER.contains(&kind));
        if !is_inner || text(event, "Name").is_some() {
            continue;
        }
        let parent = event.get("ParentId").cloned();
        let name = contexts.iter().find(|(id, _)| Some(id) == parent.as_ref()).map(|(_, name)| name.clone());
        if let (Some(name), Some(members)) = (name, event.as_object_mut()) {
            members.insert("Name".to_owned(), name);
        }
    }
}

/// A member of an event that is text.
pub(super) fn text<'a>(event: &'a Value, member: &str) -> Option<&'a str> {
    event.get(member).and_then(Value::as_str)
}

/// Whether the execution has ended.
pub(super) fn is_over(events: &[Value]) -> bool {
    const LAST: [&str; 4] =
        ["ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionStopped"];
    events.iter().any(|event| text(event, "EventType").is_some_and(|kind| LAST.contains(&kind)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn each_event_has_its_place_and_others_do_not_matter() {
        let events = [
            json!({"EventId": 1, "EventType": "ExecutionStarted"}),
            json!({"EventId": 2, "EventType": "StepStarted", "Id": "a", "StepStartedDetails": {}}),
        ];
        let expected = object(json!({"EventId": 2, "EventType": "StepStarted", "StepStartedDetails": {}}));
        assert!(match_history(&[expected], &events, &mut Variables::default()).is_empty());
        let shifted = object(json!({"EventId": 1, "EventType": "StepStarted"}));
        assert_eq!(match_history(&[shifted], &events, &mut Variables::default()).len(), 1);
        let missing = object(json!({"EventId": 3, "EventType": "StepSucceeded"}));
        let mismatches = match_history(&[missing], &events, &mut Variables::default());
        assert_eq!(mismatches, [Mismatch("event 3 is missing, expected StepSucceeded".to_owned())]);
    }

    #[test]
    fn nameless_operations_of_a_wait_for_callback_get_its_name() {
        let mut events = [
            json!({"EventType": "ContextStarted", "SubType": "WaitForCallback", "Id": "c", "Name": "approval"}),
            json!({"EventType": "CallbackStarted", "ParentId": "c"}),
            json!({"EventType": "StepStarted", "ParentId": "c", "Name": "own"}),
            json!({"EventType": "StepStarted", "ParentId": "other"}),
        ];
        name_inner_operations(&mut events);
        let names: Vec<_> = events.iter().map(|event| text(event, "Name")).collect();
        assert_eq!(names, [Some("approval"), Some("approval"), Some("own"), None]);
    }
}
