//! The event of a durable invocation, and what is said when it is none.

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use super::HandlerError;
use crate::protocol::InvocationInput;

/// An event as Lambda sent it, not yet read.
///
/// Kept as text at first, so that an event that is no durable invocation gets a message that helps instead of
/// the JSON reader's.
#[derive(Clone, Debug)]
pub struct Event(Box<RawValue>);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

impl From<Box<RawValue>> for Event {
    fn from(json: Box<RawValue>) -> Self {
        Self(json)
    }
}

/// The members without which an event is no durable invocation at all.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "only their presence matters")]
struct Mark {
    durable_execution_arn: IgnoredAny,
    checkpoint_token: IgnoredAny,
}

impl Event {
    pub(super) fn read(&self) -> Result<InvocationInput, HandlerError> {
        let json = self.0.get();
        serde_json::from_str(json).map_err(|error| {
            if serde_json::from_str::<Mark>(json).is_ok() {
                HandlerError::new(
                    "InvalidDurableInvocation",
                    format!(
                        "the envelope of this durable invocation can't be read: {error}; the service and this \
                         version of durable-runtime disagree about it, so a newer version may help"
                    ),
                )
            } else {
                HandlerError::new("NotADurableInvocation", NOT_DURABLE)
            }
        })
    }
}

const NOT_DURABLE: &str = "this event has no `DurableExecutionArn` and `CheckpointToken`, so it is no durable \
    invocation: give the function a `DurableConfig` with an `ExecutionTimeout` (in SAM `DurableConfig:`, in the AWS \
    CLI `create-function --durable-config`), and invoke it with a qualifier: a version, an alias or `$LATEST`";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::protocol::{OperationStatus, OperationType, Timestamp};

    fn read(json: &serde_json::Value) -> Result<InvocationInput, HandlerError> {
        serde_json::from_str::<Event>(&json.to_string()).unwrap().read()
    }

    #[test]
    fn reads_the_envelope_in_every_form_that_the_service_may_send() {
        let operation = |start: serde_json::Value| {
            json!({
                "Id": "0d0", "Type": "EXECUTION", "Status": "STARTED", "Name": null, "New": [1],
                "StartTimestamp": start, "ExecutionDetails": { "InputPayload": "{}", "New": {} },
            })
        };
        let input = read(&json!({
            "DurableExecutionArn": "arn", "CheckpointToken": "t0", "New": { "member": true },
            "InitialExecutionState": {
                "Operations": [
                    operation(json!(1_764_802_628_830_i64)),
                    operation(json!("2025-12-03T22:57:08.830Z")),
                    { "Id": "1", "Type": "NEW_KIND", "Status": "NEW_STATUS", "StartTimestamp": 0 },
                ],
                "NextMarker": "",
            },
            "UpdatedOperationIds": null,
        }))
        .unwrap();
        let state = input.initial_execution_state;
        assert_eq!(state.marker(), None);
        assert_eq!(state.operations[0], state.operations[1]);
        assert_eq!(state.operations[0].start_timestamp, Timestamp::from_millis(1_764_802_628_830));
        assert_eq!(state.operations[2].operation_type, OperationType::Unknown);
        assert_eq!(state.operations[2].status, OperationStatus::Unknown);
    }

    #[test]
    fn an_envelope_without_state_is_read() {
        let input = read(&json!({ "DurableExecutionArn": "arn", "CheckpointToken": "t0" })).unwrap();
        assert!(input.initial_execution_state.operations.is_empty());
    }

    #[test]
    fn an_event_that_is_no_durable_invocation_says_how_to_make_it_one() {
        for event in
            [json!({ "order": 1 }), json!("text"), json!(null), json!({ "DurableExecutionArn": "arn" })]
        {
            let error = read(&event).unwrap_err();
            assert_eq!(error.kind(), "NotADurableInvocation");
            assert!(error.to_string().contains("DurableConfig"), "{error}");
        }
    }

    #[test]
    fn an_envelope_that_cannot_be_read_says_where() {
        let error = read(&json!({
            "DurableExecutionArn": "arn", "CheckpointToken": "t0",
            "InitialExecutionState": { "Operations": [{ "Id": 7 }] },
        }))
        .unwrap_err();
        assert_eq!(error.kind(), "InvalidDurableInvocation");
        assert!(error.to_string().contains("expected a string"), "{error}");
    }
}
