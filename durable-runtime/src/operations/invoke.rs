//! Chained invokes: another function, run by the service.

use std::{borrow::Cow, future::Future, marker::PhantomData};

use compact_str::CompactString;
use serde::Serialize;

use crate::{
    codec::decode_value,
    core::outbox::Urgency,
    error::InvokeError,
    operation::{DurableOperation, only_inside},
    protocol::{
        ChainedInvokeOptions, ErrorObject, Operation, OperationAction, OperationStatus, OperationType,
        Payload, limits, sub_type,
    },
    scope::Cx,
    serdes::{Json, Serdes},
    value::DurableValue,
};

/// Invokes another function by name, `name:qualifier` or ARN, and waits for what it returns.
///
/// On AWS that is any Lambda function, durable or not; in the embedded engine a registered execution. The
/// invoked one lives on its own: it is not ended when this execution is.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_execution]
/// async fn parent(order: u32) -> Result<String, Error> {
///     let label: String = invoke("label-printer", &order).await?;
///     Ok(label)
/// }
/// ```
pub fn invoke<I: Serialize, T>(function: impl Into<String>, input: &I) -> Invoke<T> {
    let input = serde_json::to_string(input).map(Payload::from).map_err(|error| error.to_string());
    Invoke { function: function.into(), name: None, tenant_id: None, input, _value: PhantomData }
}

/// See [`invoke`].
#[must_use = "a durable operation does nothing unless awaited"]
pub struct Invoke<T, S = Json> {
    function: String,
    name: Option<Cow<'static, str>>,
    tenant_id: Option<String>,
    input: Result<Payload, String>,
    _value: PhantomData<fn() -> (T, S)>,
}

impl<T, S> std::fmt::Debug for Invoke<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invoke").field("function", &self.function).finish_non_exhaustive()
    }
}

impl<T, S> Invoke<T, S> {
    /// Records this invoke under a name: 1 to 256 printable ASCII characters.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Invokes the function for a tenant, when it is isolated by tenant.
    pub fn tenant(mut self, tenant_id: impl Into<String>) -> Self {
        self.tenant_id = Some(tenant_id.into());
        self
    }

    /// Writes the input with another serdes.
    pub fn input_serdes<I, R: Serdes<I>>(mut self, input: &I) -> Self {
        self.input = R::serialize(input).map(Payload::from).map_err(|error| error.to_string());
        self
    }

    /// Reads the result with another serdes.
    pub fn serdes<R: Serdes<T>>(self) -> Invoke<T, R> {
        Invoke {
            function: self.function,
            name: self.name,
            tenant_id: self.tenant_id,
            input: self.input,
            _value: PhantomData,
        }
    }
}

#[diagnostic::do_not_recommend]
impl<T: DurableValue, S: Serdes<T>> DurableOperation for Invoke<T, S> {
    type Output = Result<T, InvokeError>;

    fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
        let name = self.name.map(CompactString::from);
        let identity = cx.claim(OperationType::ChainedInvoke, sub_type::CHAINED_INVOKE, name);
        async move {
            if cx.recorded(&identity.id, |operation| operation.is_none()) {
                let input = match self.input {
                    Ok(input) if cx.fits_operation(&input) => input,
                    Ok(input) => {
                        let message = format!(
                            "the input of {} takes {} bytes, and the service takes at most {}; \
                             pass a reference to where the data is kept",
                            identity.describe(),
                            input.len(),
                            limits::OPERATION_PAYLOAD
                        );
                        cx.fail(ErrorObject::new("PayloadTooLarge", message)).await
                    }
                    Err(error) => {
                        let message =
                            format!("the input of {} can't be written: {error}", identity.describe());
                        cx.fail(ErrorObject::new("InvokeError", message)).await
                    }
                };
                let mut start = identity.update(OperationAction::Start);
                start.payload = Some(input);
                start.chained_invoke_options = Some(ChainedInvokeOptions {
                    function_name: self.function.clone(),
                    tenant_id: self.tenant_id,
                    x_amzn_trace_id: None,
                });
                cx.push(start, Urgency::Urgent);
            }
            let function = &self.function;
            let returned =
                cx.until(&identity.id, |operation| operation.and_then(|it| ended(it, function))).await;
            match decode_value::<T, S>(returned?.as_ref()) {
                Ok(value) => Ok(value),
                Err(error) => {
                    let message =
                        format!("the result of {} does not fit its type: {error}", identity.describe());
                    cx.fail(ErrorObject::new("InvokeError", message)).await
                }
            }
        }
    }
}
only_inside!([T: DurableValue, S: Serdes<T>] Invoke<T, S>, Result<T, InvokeError>);

fn ended(operation: &Operation, function: &str) -> Option<Result<Option<Payload>, InvokeError>> {
    let details = operation.chained_invoke_details.clone().unwrap_or_default();
    let function = function.to_owned();
    match operation.status {
        OperationStatus::Succeeded => Some(Ok(details.result)),
        OperationStatus::TimedOut => {
            Some(Err(InvokeError::TimedOut { function, error: details.error.unwrap_or_default() }))
        }
        OperationStatus::Stopped => {
            Some(Err(InvokeError::Stopped { function, error: details.error.unwrap_or_default() }))
        }
        status if status.is_terminal() => {
            let error = details.error.unwrap_or_else(|| ErrorObject::new("InvokeError", "Invoke failed"));
            Some(Err(InvokeError::Failed { function, error }))
        }
        _ => None,
    }
}
