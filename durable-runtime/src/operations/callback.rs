//! Callbacks: completed from outside, by their id.

use std::{borrow::Cow, future::Future, marker::PhantomData};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::{
    codec::{Outcome, encode_error},
    core::outbox::Urgency,
    duration::IntoDuration,
    error::CallbackError,
    operation::{DurableOperation, only_inside},
    operations::child::{ContextRecord, claim_context},
    protocol::{
        CallbackOptions, ErrorObject, Operation, OperationAction, OperationId, OperationStatus,
        OperationType, Payload, sub_type,
    },
    retry::seconds_ceil,
    scope::{Cx, Identity},
    serdes::{Json, Serdes, SerdesError, from_outside},
    service::BoxFuture,
    value::{CallbackValue, DurableError},
};

/// The id by which a callback is completed from outside. Unguessable; treat it like a password.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallbackId(String);

impl CallbackId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CallbackId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<CallbackId> for String {
    fn from(id: CallbackId) -> Self {
        id.0
    }
}

/// Waits for somebody outside to send a `T`: a person, an agent, another system.
///
/// Either hand its id out in one go with [`Callback::submit`], or [`Callback::create`] it, use the id as you
/// like, and wait for the [`CallbackHandle::result`] later.
///
/// ```
/// use durable_runtime::prelude::*;
///
/// #[durable_step]
/// async fn ask(reviewer: &str, id: CallbackId) -> Result<(), Error> {
///     println!("{reviewer}: please answer {id}");
///     Ok(())
/// }
///
/// #[durable_execution]
/// async fn reviewed(reviewer: String) -> Result<bool, Error> {
///     let approved: bool = callback("approval").timeout("24h").submit(|id| ask(&reviewer, id)).await?;
///     Ok(approved)
/// }
/// ```
pub fn callback<T>(name: impl Into<Cow<'static, str>>) -> Callback<T> {
    Callback { settings: Settings::new(name.into()), _value: PhantomData }
}

/// See [`callback`].
#[must_use = "a callback does nothing until it is created or submitted, and awaited"]
pub struct Callback<T, S = Json> {
    settings: Settings,
    _value: PhantomData<fn() -> (T, S)>,
}

impl<T, S> std::fmt::Debug for Callback<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.settings.fmt(f)
    }
}

#[derive(Debug)]
struct Settings {
    name: CompactString,
    options: CallbackOptions,
    invalid: Option<String>,
}

impl Settings {
    fn new(name: Cow<'static, str>) -> Self {
        Self { name: name.into(), options: CallbackOptions::default(), invalid: None }
    }

    fn seconds(&mut self, duration: impl IntoDuration) -> Option<u64> {
        match duration.into_duration() {
            Ok(duration) => Some(seconds_ceil(duration)),
            Err(message) => {
                self.invalid.get_or_insert(message);
                None
            }
        }
    }

    /// Queues the START if there is no record, and gives the id once the service has made it.
    async fn create(&self, cx: &Cx, identity: &Identity) -> CallbackId {
        if cx.recorded(&identity.id, |operation| operation.is_none()) {
            if let Some(message) = &self.invalid {
                let message = format!("a time limit of {} is wrong: {message}", identity.describe());
                cx.fail(ErrorObject::new("InvalidCallback", message)).await;
            }
            let mut start = identity.update(OperationAction::Start);
            start.callback_options = Some(self.options);
            cx.push(start, Urgency::Urgent);
        }
        let id = cx
            .until(&identity.id, |operation| {
                operation.and_then(|operation| operation.callback_details.as_ref()?.callback_id.clone())
            })
            .await;
        CallbackId(id)
    }
}

impl<T, S> Callback<T, S> {
    /// Fails the callback with [`CallbackError::TimedOut`] when nobody completes it within this time, counted
    /// from its creation. In whole seconds, rounded up. Default: no limit.
    pub fn timeout(mut self, timeout: impl IntoDuration) -> Self {
        self.settings.options.timeout_seconds = self.settings.seconds(timeout);
        self
    }

    /// Fails the callback with [`CallbackError::HeartbeatLost`] when no heartbeat arrives within this time.
    /// In whole seconds, rounded up. Default: no heartbeats expected.
    pub fn heartbeat(mut self, timeout: impl IntoDuration) -> Self {
        self.settings.options.heartbeat_timeout_seconds = self.settings.seconds(timeout);
        self
    }

    /// Reads what is delivered with another serdes; [`crate::serdes::Raw`] gives the bytes as text.
    pub fn serdes<R: Serdes<T>>(self) -> Callback<T, R> {
        Callback { settings: self.settings, _value: PhantomData }
    }

    /// Creates the callback. Awaiting gives its handle, with the id.
    pub fn create(self) -> CreateCallback<T, S> {
        CreateCallback(self)
    }

    /// Creates the callback, hands its id to the step that `submitter` calls, and waits for the result.
    ///
    /// The three are one operation of sub type `WaitForCallback`.
    pub fn submit<'a, F, O, U, E>(self, submitter: F) -> Submitted<'a, T, E>
    where
        T: CallbackValue<S> + 'a,
        S: 'static,
        F: FnOnce(CallbackId) -> O + Send + 'a,
        O: DurableOperation<Output = Result<U, E>> + 'a,
        U: Send + 'a,
        E: DurableError + From<CallbackError> + 'a,
    {
        let settings = self.settings;
        Submitted(Box::new(move |cx| {
            let identity = claim_context(&cx, sub_type::WAIT_FOR_CALLBACK, Some(settings.name.clone()));
            Box::pin(submit_and_wait(cx, identity, settings, submitter, read_sent::<T, S, E>))
        }))
    }
}

/// See [`Callback::create`].
#[derive(Debug)]
#[must_use = "a durable operation does nothing unless awaited"]
pub struct CreateCallback<T, S = Json>(Callback<T, S>);

#[diagnostic::do_not_recommend]
impl<T: CallbackValue<S>, S: 'static> DurableOperation for CreateCallback<T, S> {
    type Output = CallbackHandle<T, S>;

    fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
        let settings = self.0.settings;
        let identity = cx.claim(OperationType::Callback, sub_type::CALLBACK, Some(settings.name.clone()));
        async move {
            let id = settings.create(&cx, &identity).await;
            CallbackHandle { id, operation: identity.id, name: settings.name, _value: PhantomData }
        }
    }
}
only_inside!([T: CallbackValue<S>, S: 'static] CreateCallback<T, S>, CallbackHandle<T, S>);

/// A callback that exists: its id can be given away, its result awaited.
pub struct CallbackHandle<T, S = Json> {
    id: CallbackId,
    operation: OperationId,
    name: CompactString,
    _value: PhantomData<fn() -> (T, S)>,
}

impl<T, S> std::fmt::Debug for CallbackHandle<T, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallbackHandle").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T, S> CallbackHandle<T, S> {
    /// The id by which the callback is completed from outside.
    #[must_use]
    pub const fn id(&self) -> &CallbackId {
        &self.id
    }

    /// What was delivered, once it was. Awaiting gives `Result<T, CallbackError>`.
    pub fn result(self) -> CallbackResult<T, S> {
        CallbackResult(self)
    }
}

/// See [`CallbackHandle::result`].
#[derive(Debug)]
#[must_use = "a durable operation does nothing unless awaited"]
pub struct CallbackResult<T, S = Json>(CallbackHandle<T, S>);

#[diagnostic::do_not_recommend]
impl<T: CallbackValue<S>, S: 'static> DurableOperation for CallbackResult<T, S> {
    type Output = Result<T, CallbackError>;

    async fn start(self, cx: Cx) -> Self::Output {
        result::<T, S>(&cx, &self.0.operation, &self.0.name).await
    }
}
only_inside!([T: CallbackValue<S>, S: 'static] CallbackResult<T, S>, Result<T, CallbackError>);

async fn result<T: CallbackValue<S>, S: 'static>(
    cx: &Cx,
    id: &OperationId,
    name: &str,
) -> Result<T, CallbackError> {
    let payload =
        cx.until(id, |operation| operation.and_then(|operation| delivered(operation, name))).await?;
    match T::read(payload.as_ref()) {
        Ok(value) => Ok(value),
        Err(error) => {
            let message = format!("what callback `{name}` (id {id}) was sent can't be read: {error}");
            cx.fail(ErrorObject::new("CallbackError", message)).await
        }
    }
}

/// The service's own words for a lost heartbeat.
const HEARTBEAT: &str = "Callback.Heartbeat";

fn delivered(operation: &Operation, name: &str) -> Option<Result<Option<Payload>, CallbackError>> {
    let details = operation.callback_details.clone().unwrap_or_default();
    let name = name.to_owned();
    match operation.status {
        OperationStatus::Succeeded => Some(Ok(details.result)),
        OperationStatus::TimedOut => {
            let heartbeat = details.error.as_ref().and_then(ErrorObject::kind) == Some(HEARTBEAT);
            Some(Err(if heartbeat {
                CallbackError::HeartbeatLost { name }
            } else {
                CallbackError::TimedOut { name }
            }))
        }
        status if status.is_terminal() => {
            let error = details.error.unwrap_or_else(|| ErrorObject {
                error_message: Some("Callback failed".to_owned()),
                ..ErrorObject::default()
            });
            Some(Err(CallbackError::Failed { name, error }))
        }
        _ => None,
    }
}

/// See [`Callback::submit`].
///
/// Everything that may be wrong with it is said where it is made, so this type itself is always an operation.
#[must_use = "a durable operation does nothing unless awaited"]
pub struct Submitted<'a, T, E>(Box<dyn FnOnce(Cx) -> BoxFuture<'a, Result<T, E>> + Send + 'a>);

impl<T, E> std::fmt::Debug for Submitted<'_, T, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Submitted")
    }
}

#[diagnostic::do_not_recommend]
impl<T, E> DurableOperation for Submitted<'_, T, E> {
    type Output = Result<T, E>;

    fn start(self, cx: Cx) -> impl Future<Output = Self::Output> + Send {
        (self.0)(cx)
    }
}
only_inside!([T, E] Submitted<'_, T, E>, Result<T, E>);

/// The value in the record of a context that holds what was sent, as it was sent.
fn read_sent<T: CallbackValue<S>, S, E: DurableError>(
    outcome: &Outcome,
) -> Result<Result<T, E>, SerdesError> {
    from_outside(|| T::read_context::<E>(outcome))
}

async fn submit_and_wait<T, F, O, U, E>(
    cx: Cx,
    identity: Identity,
    settings: Settings,
    submitter: F,
    read: fn(&Outcome) -> Result<Result<T, E>, SerdesError>,
) -> Result<T, E>
where
    F: FnOnce(CallbackId) -> O + Send,
    O: DurableOperation<Output = Result<U, E>>,
    U: Send,
    E: DurableError + From<CallbackError>,
{
    let record = ContextRecord::open(&cx, &identity, read);
    if let Some(recorded) = record.recorded().await {
        return recorded;
    }
    let inner = cx.child(&identity.id);
    let body = async move {
        let cx = Cx::current();
        let inner = cx.claim(OperationType::Callback, sub_type::CALLBACK, Some(settings.name.clone()));
        let id = settings.create(&cx, &inner).await;
        let submission = cx.enter(|| submitter(id).start(cx.clone()));
        submission.await?;
        let name = &settings.name;
        let sent =
            cx.until(&inner.id, |operation| operation.and_then(|operation| delivered(operation, name)));
        Ok(sent.await?)
    };
    // The context records the payload as it was sent, so that the value is read from the same text on the
    // first run and on every replay.
    let delivered: Result<Option<Payload>, E> = inner.clone().scope(body).await;
    let mut outcome = match delivered {
        Ok(payload) => Ok(Outcome::Succeeded(payload)),
        Err(error) => encode_error(&error).map(Outcome::Failed),
    };
    if let Ok(Outcome::Failed(error)) = &mut outcome {
        inner.roll_back(error).await;
    }
    record.close(outcome, &inner).await
}
