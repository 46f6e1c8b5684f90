//! A second chance for dead letters.

use serde::{Deserialize, Serialize};

use super::{CallbackFault, Kind, deliver::send};
use crate::ports::{Delivery, Ports, StoreError};

/// What became of the dead letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redriven {
    /// The execution has them now, or closed its callback in the meantime.
    pub delivered: usize,
    /// Still can't be delivered.
    pub remaining: usize,
}

/// Tries to deliver every dead letter again. Safe to repeat and to interrupt.
///
/// # Errors
///
/// The store can't be used.
pub async fn redrive(ports: &Ports) -> Result<Redriven, CallbackFault> {
    let mut result = Redriven::default();
    let lost = |id: &str, error: StoreError| CallbackFault::storage(ports, id, &error);
    for letter in ports.callbacks.dead_letters().await.map_err(|error| lost("redrive", error))? {
        let id = letter.id.as_str();
        let fault = |error| lost(id, error);
        let Some(stored) = ports.callbacks.stored(letter.token.clone()).await.map_err(fault)? else {
            // Its time is over: there is nothing left to deliver.
            ports.callbacks.redriven(letter.id.clone()).await.map_err(fault)?;
            continue;
        };
        match send(ports, id, &letter.token, stored.outcome).await {
            Ok(kind) => {
                let delivery = match kind {
                    Kind::Expired => Delivery::Expired,
                    Kind::Unknown => Delivery::Unknown,
                    _ => Delivery::Delivered,
                };
                ports.callbacks.mark(letter.token.clone(), delivery).await.map_err(fault)?;
                ports.callbacks.redriven(letter.id.clone()).await.map_err(fault)?;
                tracing::info!(event_type = "callback_redriven", request_id = id, outcome = kind.as_str());
                result.delivered += 1;
            }
            Err(_) => result.remaining += 1,
        }
    }
    Ok(result)
}
