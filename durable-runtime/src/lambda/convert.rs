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
        callback_details: operation.callback_details.map(|details| Box::new(CallbackDetails {
            callback_id: details.callback_id,
            result: payload(details.result),
            error: details.error.map(error_in),
        })),
        chained_invoke_details: operation.chained_invoke_details.map(|details| Box::new(ChainedInvokeDetails {
            result: payload(details.result),
            error: details.error.map(error_in),
        })),
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
