//! From the store to the execution that waits, to the workflow's record, to the history.

use durable_runtime::{prelude::*, protocol::ErrorObject};

use super::{CallbackFault, Kind, Request, Signal, redacted};
use crate::{
    ports::{
        ArtifactRef, Change, DeadLetter, Delivery, DeliveryFailure, HistoryEntry, Notice, Outcome, Ports,
        Route, StoreError,
    },
    research::Status,
    retry,
};

#[durable_step(retry = retry::CALLBACK_DELIVERY, timeout = "10s")]
pub(super) async fn deliver(
    ports: &Ports,
    request: &Request,
    outcome: Outcome,
) -> Result<Kind, CallbackFault> {
    let token = &request.message.token;
    let kind = send(ports, &request.request_id, token, outcome).await?;
    log(request, if kind == Kind::Delivered { "callback_delivered" } else { kind.as_str() });
    if kind == Kind::Unknown {
        tracing::warn!(
            event_type = "callback_token_unknown",
            request_id = request.request_id,
            token = redacted(token),
        );
    }
    Ok(kind)
}

/// Notes how far the result got, so that the same callback is not delivered again.
#[durable_step(retry = retry::CALLBACK_STORAGE)]
pub(super) async fn mark_delivery(ports: &Ports, request: &Request, kind: Kind) -> Result<(), CallbackFault> {
    let delivery = match kind {
        Kind::Delivered => Delivery::Delivered,
        Kind::Expired => Delivery::Expired,
        Kind::Unknown => Delivery::Unknown,
        Kind::HeartbeatRecorded | Kind::AlreadyDelivered | Kind::Contradicted => return Ok(()),
    };
    let token = request.message.token.clone();
    ports.callbacks.mark(token, delivery).await.map_err(lost(ports, request))
}

/// Completes the callback at the durable execution service.
pub(super) async fn send(
    ports: &Ports,
    request_id: &str,
    token: &str,
    outcome: Outcome,
) -> Result<Kind, CallbackFault> {
    let sent = match outcome {
        Outcome::Success { result } => ports.executions.succeed(token.to_owned(), result.to_string()).await,
        Outcome::Failure { error_type, message } => {
            let kind = error_type.unwrap_or_else(|| "AgentFailure".to_owned());
            ports.executions.fail(token.to_owned(), ErrorObject::new(kind, message)).await
        }
    };
    received(sent, request_id, Kind::Delivered)
}

fn received(sent: Result<(), DeliveryFailure>, request_id: &str, kind: Kind) -> Result<Kind, CallbackFault> {
    match sent {
        // Repeated: an attempt before this one got through but was cut off before that was on record.
        Ok(()) | Err(DeliveryFailure::Repeated) => Ok(kind),
        Err(DeliveryFailure::Closed) => Ok(Kind::Expired),
        Err(DeliveryFailure::Unknown) => Ok(Kind::Unknown),
        Err(failure @ DeliveryFailure::Unavailable(_)) => {
            tracing::warn!(event_type = "delivery_error", request_id, %failure);
            Err(CallbackFault::Delivery { retryable: true })
        }
    }
}

#[durable_step(retry = retry::HEARTBEATS, timeout = "10s")]
pub(super) async fn heartbeat(ports: &Ports, request: &Request) -> Result<Kind, CallbackFault> {
    let sent = ports.executions.heartbeat(request.message.token.clone()).await;
    received(sent, &request.request_id, Kind::HeartbeatRecorded)
}

/// The workflow runs again: its record says so, unless it ended in the meantime.
#[durable_step(retry = retry::CALLBACK_STORAGE)]
pub(super) async fn update_workflow_record(
    ports: &Ports,
    request: &Request,
    kind: Kind,
) -> Result<(), CallbackFault> {
    let route = ports.callbacks.route(request.message.token.clone()).await.map_err(lost(ports, request))?;
    let (Kind::Delivered, Some(Route { workflow_id, phase })) = (kind, route) else { return Ok(()) };
    // Whoever is first puts the answer on record: this step, or the one of the workflow that follows.
    let mut change = Change::of(&workflow_id, "callback").only_at(phase.await_name()).to(Status::Running);
    if let Signal::Outcome(Outcome::Success { result }) = &request.message.signal {
        let is_reference = ArtifactRef::from_value(result).is_some();
        let next = if is_reference { phase.fetch_name() } else { phase.next_step() };
        change = change.now_at(next).completing(phase.await_name(), phase.answered());
    }
    match ports.records.apply(change).await {
        Ok(_) | Err(StoreError::Conflict(_) | StoreError::NotFound(_)) => Ok(()),
        Err(error) => Err(lost(ports, request)(error)),
    }
}

#[durable_step(retry = retry::CALLBACK_STORAGE)]
pub(super) async fn append_history(
    ports: &Ports,
    request: &Request,
    kind: Kind,
) -> Result<(), CallbackFault> {
    let token = &request.message.token;
    let route = ports.callbacks.route(token.clone()).await.map_err(lost(ports, request))?;
    let entry = HistoryEntry {
        request_id: request.request_id.clone(),
        token: redacted(token),
        workflow_id: route.map(|route| route.workflow_id),
        status: request.message.signal.status().to_owned(),
        answer: kind.as_str().to_owned(),
        at: request.received_at,
    };
    ports.callbacks.append_history(entry).await.map_err(lost(ports, request))
}

/// Begins to tell the registered receivers.
#[durable_step(retry = retry::CALLBACK_STORAGE)]
pub(super) async fn announce(ports: &Ports, request: &Request, kind: Kind) -> Result<(), CallbackFault> {
    let Some(webhooks) = &ports.webhooks else { return Ok(()) };
    let token = &request.message.token;
    let route = ports.callbacks.route(token.clone()).await.map_err(lost(ports, request))?;
    let notice = Notice {
        id: request.request_id.clone(),
        event: kind.as_str().to_owned(),
        status: request.message.signal.status().to_owned(),
        token: redacted(token),
        phase: route.as_ref().map(|route| route.phase),
        workflow_id: route.map(|route| route.workflow_id),
        received_at: request.received_at,
    };
    webhooks.announce(notice).await.map_err(lost(ports, request))
}

/// What can't be delivered is not lost.
#[durable_step(retry = retry::CALLBACK_STORAGE)]
pub(super) async fn dead_letter(
    ports: &Ports,
    request: &Request,
    reason: String,
) -> Result<(), CallbackFault> {
    let token = request.message.token.clone();
    let letter = DeadLetter {
        id: request.request_id.clone(),
        token: token.clone(),
        reason,
        at: request.received_at,
        redriven_at: None,
    };
    ports.callbacks.bury(letter).await.map_err(lost(ports, request))?;
    ports.callbacks.mark(token, Delivery::DeadLettered).await.map_err(lost(ports, request))?;
    log(request, "callback_dead_lettered");
    Ok(())
}

fn lost<'a>(ports: &'a Ports, request: &'a Request) -> impl Fn(StoreError) -> CallbackFault + 'a {
    move |error| CallbackFault::storage(ports, &request.request_id, &error)
}

fn log(request: &Request, event_type: &'static str) {
    tracing::info!(
        event_type,
        request_id = request.request_id,
        token = redacted(&request.message.token),
        status = request.message.signal.status(),
    );
}
