//! Wire types of this crate to those of the AWS SDK, and back.
//!
//! REST has seconds where the envelope has milliseconds; both end up as [`Timestamp`]. Members and enum values that
//! this version doesn't know are dropped or kept as `Unknown`, never an error.

use aws_sdk_lambda::{error::BuildError, primitives::DateTime, types};

use crate::{
    protocol::{
        CallbackDetails, ChainedInvokeDetails, ContextDetails, ErrorObject, ExecutionDetails, ExecutionState,
        Operation, OperationAction, OperationId, OperationStatus, OperationType, OperationUpdate, Payload,
        StepDetails, Timestamp, WaitDetails,
    },
    service::ServiceError,
};

/// What a checkpoint sends.
pub(super) fn updates(updates: Vec<OperationUpdate>) -> Result<Vec<types::OperationUpdate>, ServiceError> {
    let converted: Result<Vec<_>, BuildError> = updates.into_iter().map(update).collect();
    converted.map_err(|error| ServiceError::permanent("InvalidUpdate", error.to_string()))
}

fn update(update: OperationUpdate) -> Result<types::OperationUpdate, BuildError> {
    let invoke = update.chained_invoke_options.map(|options| {
        types::ChainedInvokeOptions::builder()
            .function_name(options.function_name)
            .set_tenant_id(options.tenant_id)
            .set_x_amzn_trace_id(options.x_amzn_trace_id)
            .build()
    });
    types::OperationUpdate::builder()
        .id(update.id.as_str())
        .set_parent_id(update.parent_id.map(|id| id.to_string()))
        .set_name(update.name.map(Into::into))
        .r#type(operation_type_out(update.operation_type))
        .set_sub_type(update.sub_type.map(Into::into))
        .action(action(update.action))
        .set_payload(update.payload.map(|payload| payload.to_string()))
        .set_error(update.error.map(error_out))
        .set_context_options(
            update.context_options.map(|options| {
                types::ContextOptions::builder().replay_children(options.replay_children).build()
            }),
        )
        .set_step_options(update.step_options.map(|options| {
            let delay = seconds(options.next_attempt_delay_seconds);
            types::StepOptions::builder().next_attempt_delay_seconds(delay).build()
        }))
        .set_wait_options(
            update.wait_options.map(|options| {
                types::WaitOptions::builder().wait_seconds(seconds(options.wait_seconds)).build()
            }),
        )
        .set_callback_options(update.callback_options.map(|options| {
            types::CallbackOptions::builder()
                .set_timeout_seconds(options.timeout_seconds.map(seconds))
                .set_heartbeat_timeout_seconds(options.heartbeat_timeout_seconds.map(seconds))
                .build()
        }))
        .set_chained_invoke_options(invoke.transpose()?)
        .build()
}

/// A state as a checkpoint's answer has it.
pub(super) fn new_state(state: types::CheckpointUpdatedExecutionState) -> ExecutionState {
    page(state.operations.unwrap_or_default(), state.next_marker)
}

/// A page of the state.
pub(super) fn page(operations: Vec<types::Operation>, next_marker: Option<String>) -> ExecutionState {
    ExecutionState { operations: operations.into_iter().map(operation).collect(), next_marker }
}

fn operation(operation: types::Operation) -> Operation {
    Operation {
        id: OperationId::new(&operation.id),
        parent_id: operation.parent_id.map(OperationId::new),
        name: operation.name.map(Into::into),
        operation_type: operation_type_in(&operation.r#type),
        sub_type: operation.sub_type.map(Into::into),
        status: status(&operation.status),
        start_timestamp: timestamp(operation.start_timestamp),
        end_timestamp: operation.end_timestamp.map(timestamp),
        execution_details: operation
            .execution_details
            .map(|details| ExecutionDetails { input_payload: payload(details.input_payload) }),
        context_details: operation.context_details.map(|details| ContextDetails {
            replay_children: details.replay_children,
            result: payload(details.result),
            error: details.error.map(error_in),
        }),
        step_details: operation.step_details.map(|details| StepDetails {
            attempt: u32::try_from(details.attempt).ok(),
            next_attempt_timestamp: details.next_attempt_timestamp.map(timestamp),
            result: payload(details.result),
            error: details.error.map(error_in),
        }),
        wait_details: operation.wait_details.map(|details| WaitDetails {
            scheduled_end_timestamp: details.scheduled_end_timestamp.map(timestamp),
        }),
        callback_details: operation.callback_details.map(|details| {
            Box::new(CallbackDetails {
                callback_id: details.callback_id,
                result: payload(details.result),
                error: details.error.map(error_in),
            })
        }),
        chained_invoke_details: operation.chained_invoke_details.map(|details| {
            Box::new(ChainedInvokeDetails {
                result: payload(details.result),
                error: details.error.map(error_in),
            })
        }),
    }
}

fn payload(text: Option<String>) -> Option<Payload> {
    text.map(Payload::from)
}

fn error_out(error: ErrorObject) -> types::ErrorObject {
    types::ErrorObject::builder()
        .set_error_message(error.error_message)
        .set_error_type(error.error_type)
        .set_error_data(error.error_data)
        .set_stack_trace(error.stack_trace)
        .build()
}

fn error_in(error: types::ErrorObject) -> ErrorObject {
    ErrorObject {
        error_message: error.error_message,
        error_type: error.error_type,
        error_data: error.error_data,
        stack_trace: error.stack_trace,
    }
}

/// To the nearest millisecond: the JSON number 1764802628.83 is read as 829,999,923 ns, and cutting that off would make
/// a moment of the service one millisecond too early.
fn timestamp(moment: DateTime) -> Timestamp {
    let millis = i64::from(moment.subsec_nanos().saturating_add(500_000) / 1_000_000);
    Timestamp::from_millis(moment.secs().saturating_mul(1000).saturating_add(millis))
}

/// The wire's integer. What does not fit is refused by the service, whose limit is far below.
fn seconds(seconds: u64) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn operation_type_out(operation_type: OperationType) -> types::OperationType {
    match operation_type {
        OperationType::Execution => types::OperationType::Execution,
        OperationType::Context => types::OperationType::Context,
        OperationType::Step => types::OperationType::Step,
        OperationType::Wait => types::OperationType::Wait,
        OperationType::Callback => types::OperationType::Callback,
        OperationType::ChainedInvoke => types::OperationType::ChainedInvoke,
        // Never sent: no operation of ours makes it. The service would refuse it by name.
        OperationType::Unknown => types::OperationType::from("UNKNOWN"),
    }
}

fn operation_type_in(operation_type: &types::OperationType) -> OperationType {
    match operation_type {
        types::OperationType::Execution => OperationType::Execution,
        types::OperationType::Context => OperationType::Context,
        types::OperationType::Step => OperationType::Step,
        types::OperationType::Wait => OperationType::Wait,
        types::OperationType::Callback => OperationType::Callback,
        types::OperationType::ChainedInvoke => OperationType::ChainedInvoke,
        _ => OperationType::Unknown,
    }
}

const fn action(action: OperationAction) -> types::OperationAction {
    match action {
        OperationAction::Start => types::OperationAction::Start,
        OperationAction::Succeed => types::OperationAction::Succeed,
        OperationAction::Fail => types::OperationAction::Fail,
        OperationAction::Retry => types::OperationAction::Retry,
        OperationAction::Cancel => types::OperationAction::Cancel,
    }
}

const fn status(status: &types::OperationStatus) -> OperationStatus {
    match status {
        types::OperationStatus::Started => OperationStatus::Started,
        types::OperationStatus::Pending => OperationStatus::Pending,
        types::OperationStatus::Ready => OperationStatus::Ready,
        types::OperationStatus::Succeeded => OperationStatus::Succeeded,
        types::OperationStatus::Failed => OperationStatus::Failed,
        types::OperationStatus::Cancelled => OperationStatus::Cancelled,
        types::OperationStatus::TimedOut => OperationStatus::TimedOut,
        types::OperationStatus::Stopped => OperationStatus::Stopped,
        _ => OperationStatus::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{
        CallbackOptions, ChainedInvokeOptions, ContextOptions, StepOptions, WaitOptions, sub_type,
    };

    fn error() -> ErrorObject {
        ErrorObject {
            error_data: Some("{}".into()),
            stack_trace: Some(vec!["at main".into()]),
            ..ErrorObject::new("Refused", "not today")
        }
    }

    #[test]
    fn a_moment_in_seconds_is_the_nearest_millisecond() {
        let millis = |seconds: f64| timestamp(DateTime::from_secs_f64(seconds)).as_millis();
        assert_eq!(millis(1_764_802_628.83), 1_764_802_628_830);
        assert_eq!(millis(1_764_802_628.999_9), 1_764_802_629_000);
        assert_eq!(millis(1_764_802_628.0), 1_764_802_628_000);
        // Every millisecond of a second survives the way through a JSON number.
        for part in 0..1000 {
            let moment = 1_764_802_628_000 + part;
            assert_eq!(millis(moment as f64 / 1000.0), moment);
        }
    }

    #[test]
    fn every_member_of_an_update_is_sent() {
        let mut update =
            OperationUpdate::new(OperationId::new("2"), OperationType::Step, OperationAction::Retry);
        update.parent_id = Some(OperationId::new("1"));
        update.name = Some("charge".into());
        update.sub_type = Some(sub_type::STEP.into());
        update.payload = Some("7".into());
        update.error = Some(error());
        update.context_options = Some(ContextOptions { replay_children: true });
        update.step_options = Some(StepOptions { next_attempt_delay_seconds: 5 });
        update.wait_options = Some(WaitOptions { wait_seconds: u64::MAX });
        update.callback_options =
            Some(CallbackOptions { timeout_seconds: Some(60), heartbeat_timeout_seconds: None });
        update.chained_invoke_options = Some(ChainedInvokeOptions {
            function_name: "f:1".into(),
            tenant_id: Some("tenant".into()),
            x_amzn_trace_id: Some("Root=1".into()),
        });
        let sent = updates(vec![update]).unwrap().remove(0);
        assert_eq!((sent.id(), sent.parent_id(), sent.name()), ("2", Some("1"), Some("charge")));
        assert_eq!((sent.r#type(), sent.sub_type()), (&types::OperationType::Step, Some("Step")));
        assert_eq!((sent.action(), sent.payload()), (&types::OperationAction::Retry, Some("7")));
        assert_eq!(error_in(sent.error().unwrap().clone()), error());
        assert_eq!(sent.context_options().unwrap().replay_children(), Some(true));
        assert_eq!(sent.step_options().unwrap().next_attempt_delay_seconds(), Some(5));
        assert_eq!(sent.wait_options().unwrap().wait_seconds(), Some(i32::MAX));
        assert_eq!(sent.callback_options().unwrap().timeout_seconds(), 60);
        let invoke = sent.chained_invoke_options().unwrap();
        assert_eq!((invoke.function_name(), invoke.tenant_id()), ("f:1", Some("tenant")));
        assert_eq!(invoke.x_amzn_trace_id(), Some("Root=1"));
    }

    #[test]
    fn what_an_update_does_not_have_is_not_sent() {
        let update = OperationUpdate::new(OperationId::new("1"), OperationType::Wait, OperationAction::Start);
        let sent = updates(vec![update]).unwrap().remove(0);
        let bare = types::OperationUpdate::builder()
            .id("1")
            .r#type(types::OperationType::Wait)
            .action(types::OperationAction::Start);
        assert_eq!(sent, bare.build().unwrap());
    }

    #[test]
    fn every_member_of_an_operation_is_read() {
        let moment = DateTime::from_millis(1_764_802_628_830);
        let at = Timestamp::from_millis(1_764_802_628_830);
        let wire = types::Operation::builder()
            .id("2")
            .parent_id("1")
            .name("charge")
            .r#type(types::OperationType::Step)
            .sub_type("Step")
            .status(types::OperationStatus::Pending)
            .start_timestamp(moment)
            .end_timestamp(moment)
            .execution_details(types::ExecutionDetails::builder().input_payload("{}").build())
            .context_details(types::ContextDetails::builder().replay_children(true).result("1").build())
            .step_details(
                types::StepDetails::builder()
                    .attempt(2)
                    .next_attempt_timestamp(moment)
                    .result("3")
                    .error(error_out(error()))
                    .build(),
            )
            .wait_details(types::WaitDetails::builder().scheduled_end_timestamp(moment).build())
            .callback_details(types::CallbackDetails::builder().callback_id("c").result("").build())
            .chained_invoke_details(types::ChainedInvokeDetails::builder().result("4").build());
        let read = operation(wire.build().unwrap());
        let mut expected = Operation::started(OperationId::new("2"), OperationType::Step, at);
        expected.parent_id = Some(OperationId::new("1"));
        expected.name = Some("charge".into());
        expected.sub_type = Some("Step".into());
        expected.status = OperationStatus::Pending;
        expected.end_timestamp = Some(at);
        expected.execution_details = Some(ExecutionDetails { input_payload: Some("{}".into()) });
        expected.context_details =
            Some(ContextDetails { replay_children: Some(true), result: Some("1".into()), error: None });
        expected.step_details = Some(StepDetails {
            attempt: Some(2),
            next_attempt_timestamp: Some(at),
            result: Some("3".into()),
            error: Some(error()),
        });
        expected.wait_details = Some(WaitDetails { scheduled_end_timestamp: Some(at) });
        // An empty result is not an absent one.
        let callback =
            CallbackDetails { callback_id: Some("c".into()), result: Some("".into()), error: None };
        expected.callback_details = Some(Box::new(callback));
        expected.chained_invoke_details =
            Some(Box::new(ChainedInvokeDetails { result: Some("4".into()), error: None }));
        assert_eq!(read, expected);
    }

    #[test]
    fn enum_values_of_a_later_version_are_unknown_and_all_others_keep_their_names() {
        for name in ["EXECUTION", "CONTEXT", "STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE"] {
            let read = operation_type_in(&types::OperationType::from(name));
            assert_eq!(operation_type_out(read).as_str(), name);
            assert_eq!(serde_json::to_value(read).unwrap(), name);
        }
        for name in
            ["STARTED", "PENDING", "READY", "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"]
        {
            assert_eq!(serde_json::to_value(status(&types::OperationStatus::from(name))).unwrap(), name);
        }
        assert_eq!(operation_type_in(&types::OperationType::from("NEW_KIND")), OperationType::Unknown);
        assert_eq!(status(&types::OperationStatus::from("NEW_STATUS")), OperationStatus::Unknown);
    }
}
