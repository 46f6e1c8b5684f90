//! A second chance for dead letters.

use durable_runtime::protocol::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    CallbackFault, Kind, RETENTION, Signal, deliver::send, large_result, redacted, stored_as_artifact,
};
use crate::ports::{Delivery, HistoryEntry, Kept, NewCallback, Outcome, Ports, StoreError, Stored, Unstored};

/// What became of the dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// The execution has them now, or closed its callback in the meantime.
    pub delivered: usize,
    /// Still can't be delivered.
    pub remaining: usize,
}

impl Redriven {
    /// Counts a letter, and says whether it is done with. While the store is away there is no use in going on; a letter
    /// that it refuses holds up no other.
    fn count(&mut self, delivered: Result<Kind, CallbackFault>) -> Result<bool, CallbackFault> {
        match delivered {
            // Its place was taken by another outcome.
            Ok(Kind::Contradicted) => {}
            Ok(_) => self.delivered += 1,
            Err(fault @ CallbackFault::Storage { retryable: true }) => return Err(fault),
            Err(_) => {
                self.remaining += 1;
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Tries to deliver every dead letter again: those that were stored, and those that could not even be. Safe to repeat
/// and to interrupt.
///
/// # Errors
///
/// The store can't be used.
pub async fn redrive(ports: &Ports) -> Result<Redriven, CallbackFault> {
    let mut result = Redriven::default();
    let lost = |id: &str, error: StoreError| CallbackFault::storage(ports, id, &error);
    for letter in ports.callbacks.dead_letters().await.map_err(|error| lost("redrive", error))? {
        let fault = |error| lost(&letter.id, error);
        if let Some(stored) = ports.callbacks.stored(letter.token.clone()).await.map_err(fault)? {
            let again = Again { ports, id: &letter.id, token: &letter.token, at: letter.at };
            if !result.count(again.deliver(stored.outcome).await)? {
                continue;
            }
        }
        // Of what is not stored any more the time is over: there is nothing left to deliver.
        ports.callbacks.redriven(letter.id.clone()).await.map_err(fault)?;
    }
    if let Some(queue) = &ports.dead_letter_queue {
        for Kept { callback, receipt } in queue.kept().await.map_err(|error| lost("redrive", error))? {
            let id = callback.id.clone();
            if result.count(store_and_deliver(ports, callback).await)? {
                queue.release(receipt).await.map_err(|error| lost(&id, error))?;
            }
        }
    }
    Ok(result)
}

/// Makes up for what a request failed to do.
async fn store_and_deliver(ports: &Ports, callback: Unstored) -> Result<Kind, CallbackFault> {
    let Unstored { id, token, outcome, digest, at, .. } = callback;
    let again = Again { ports, id: &id, token: &token, at };
    let mut signal = Signal::Outcome(outcome);
    if let Some(large) = large_result(&signal) {
        let stored = stored_as_artifact(&*ports.artifacts, &token, large).await;
        let result = stored.map_err(|error| again.lost(&error))?;
        signal = Signal::Outcome(Outcome::Success { result });
    }
    let Signal::Outcome(outcome) = signal else { unreachable!("made above") };
    let (token, expires_at) = (token.clone(), at.after(RETENTION));
    let new = NewCallback { token, outcome: outcome.clone(), digest, expires_at };
    match ports.callbacks.store(new).await.map_err(|error| again.lost(&error))? {
        Stored::New | Stored::Repeated(Delivery::Pending | Delivery::Unknown | Delivery::DeadLettered) => {
            again.deliver(outcome).await
        }
        // Its sender, who was told that it failed, has sent it again since.
        Stored::Repeated(Delivery::Delivered) => Ok(Kind::AlreadyDelivered),
        Stored::Repeated(Delivery::Expired) => Ok(Kind::Expired),
        Stored::Contradicts => {
            tracing::warn!(event_type = "callback_conflict", request_id = id, token = redacted(again.token));
            again.note(outcome.status(), Kind::Contradicted).await?;
            Ok(Kind::Contradicted)
        }
    }
}

/// A callback that was sent before.
struct Again<'a> {
    ports: &'a Ports,
    id: &'a str,
    token: &'a str,
    at: Timestamp,
}

impl Again<'_> {
    /// Delivers an outcome that is stored, and notes what became of it.
    async fn deliver(&self, outcome: Outcome) -> Result<Kind, CallbackFault> {
        let (ports, status) = (self.ports, outcome.status());
        let kind = send(ports, self.id, self.token, outcome).await?;
        let delivery = match kind {
            Kind::Expired => Delivery::Expired,
            Kind::Unknown => Delivery::Unknown,
            _ => Delivery::Delivered,
        };
        ports.callbacks.mark(self.token.to_owned(), delivery).await.map_err(|error| self.lost(&error))?;
        self.note(status, kind).await?;
        tracing::info!(event_type = "callback_redriven", request_id = self.id, outcome = kind.as_str());
        Ok(kind)
    }

    /// The line that the request itself did not get to.
    async fn note(&self, status: &str, kind: Kind) -> Result<(), CallbackFault> {
        let callbacks = &self.ports.callbacks;
        let route = callbacks.route(self.token.to_owned()).await.map_err(|error| self.lost(&error))?;
        let entry = HistoryEntry {
            request_id: self.id.to_owned(),
            token: redacted(self.token),
            workflow_id: route.map(|route| route.workflow_id),
            status: status.to_owned(),
            answer: kind.as_str().to_owned(),
            at: self.at,
        };
        callbacks.append_history(entry).await.map_err(|error| self.lost(&error))
    }

    fn lost(&self, error: &StoreError) -> CallbackFault {
        CallbackFault::storage(self.ports, self.id, error)
    }
}
