//! What a requirement sends to callbacks.

use std::{collections::HashSet, time::Duration};

use serde_json::{Map, Value};

use super::{
    history::text,
    pattern::finds,
    requirement::{CallbackAction, CallbackOperation},
    variables::Variables,
};

/// Something to send to a callback.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The callback.
    pub callback_id: String,
    /// How long to wait before.
    pub delay: Duration,
    /// What is sent.
    pub message: Message,
}

/// What is sent to a callback.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Its result, as text; `None` for an empty body.
    Success(Option<String>),
    /// Its error.
    Failure(Map<String, Value>),
    /// A sign of life.
    Heartbeat,
}

/// The actions of a requirement, and which of them are left.
pub(super) struct Outside {
    actions: Vec<CallbackAction>,
    completed: HashSet<String>,
}

impl Outside {
    pub(super) fn new(actions: &[CallbackAction]) -> Self {
        Self { actions: actions.to_vec(), completed: HashSet::new() }
    }

    /// What is to be sent now: for each callback that nobody has completed, the first action that is left for it.
    pub(super) fn due(&mut self, events: &[Value], variables: &Variables) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for event in events.iter().filter(|event| text(event, "EventType") == Some("CallbackStarted")) {
            let id = event.pointer("/CallbackStartedDetails/CallbackId").and_then(Value::as_str);
            let Some(id) = id.filter(|id| !self.completed.contains(*id)) else { continue };
            let name = text(event, "Name").unwrap_or_default();
            let next = self.actions.iter().position(|action| is_for(action, name, variables));
            if let Some(next) = next {
                let action = self.actions.remove(next);
                // A heartbeat leaves the callback open for another action.
                if action.operation != CallbackOperation::Heartbeat {
                    self.completed.insert(id.to_owned());
                }
                deliveries.push(Delivery {
                    callback_id: id.to_owned(),
                    delay: Duration::from_secs_f64(action.delay),
                    message: message(&action, variables),
                });
            }
        }
        deliveries
    }
}

fn is_for(action: &CallbackAction, name: &str, variables: &Variables) -> bool {
    let wanted = variables.fill_text(&action.callback_name);
    wanted == "*" || wanted == name || finds(&format!("^(?:{wanted})$"), &Value::from(name))
}

fn message(action: &CallbackAction, variables: &Variables) -> Message {
    let payload = action.payload.as_ref().map(|payload| variables.fill(payload));
    match action.operation {
        CallbackOperation::Success => Message::Success(payload.map(|payload| spaced_json(&payload))),
        CallbackOperation::Failure => {
            let is_member =
                |name: &str| ["ErrorType", "ErrorMessage", "ErrorData", "StackTrace"].contains(&name);
            let members = payload.as_ref().and_then(Value::as_object).into_iter().flatten();
            let members = members.filter(|(name, _)| is_member(name));
            Message::Failure(members.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        CallbackOperation::Heartbeat => Message::Heartbeat,
    }
}

/// JSON with a space after `:` and `,`, as the requirements spell payloads.
fn spaced_json(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(spaced_json).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), spaced_json(value))
            };
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn started(name: &str, id: &str) -> Value {
        json!({"EventType": "CallbackStarted", "Name": name, "CallbackStartedDetails": {"CallbackId": id}})
    }

    fn actions(value: Value) -> Outside {
        let actions: Vec<CallbackAction> = serde_json::from_value(value).unwrap();
        Outside::new(&actions)
    }

    #[test]
    fn each_callback_gets_the_first_action_for_its_name_once() {
        let mut outside = actions(json!([
            {"CallbackName": "b", "Operation": "failure", "Payload": {"ErrorType": "T", "Other": 1}},
            {"CallbackName": "*", "Operation": "success", "Payload": {"a": [1, 2]}, "Delay": 2},
        ]));
        let events = [started("a", "1"), started("b", "2")];
        let due = outside.due(&events, &Variables::default());
        let expected = [
            Delivery {
                callback_id: "1".to_owned(),
                delay: Duration::from_secs(2),
                message: Message::Success(Some(r#"{"a": [1, 2]}"#.to_owned())),
            },
            Delivery {
                callback_id: "2".to_owned(),
                delay: Duration::ZERO,
                message: Message::Failure(json!({"ErrorType": "T"}).as_object().unwrap().clone()),
            },
        ];
        assert_eq!(due, expected);
        assert!(outside.due(&events, &Variables::default()).is_empty());
    }

    #[test]
    fn a_heartbeat_leaves_the_callback_open() {
        let mut outside = actions(json!([
            {"CallbackName": "*", "Operation": "heartbeat"},
            {"CallbackName": "*", "Operation": "success"},
        ]));
        let events = [started("a", "1")];
        let first = outside.due(&events, &Variables::default());
        assert!(matches!(first.as_slice(), [Delivery { message: Message::Heartbeat, .. }]));
        let second = outside.due(&events, &Variables::default());
        assert!(matches!(second.as_slice(), [Delivery { message: Message::Success(None), .. }]));
    }
}
