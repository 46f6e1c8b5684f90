//! A second chance for dead letters.

use serde::{Deserialize, Serialize};

use super::{CallbackFault, Kind, deliver::send};
use crate::ports::{Delivery, Ports};

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
    for letter in ports.callbacks.dead_letters().await? {
        let Some(stored) = ports.callbacks.stored(letter.token.clone()).await? else {
            // Its time is over: there is nothing left to deliver.
            ports.callbacks.redriven(letter.id).await?;
            continue;
        };
        match send(ports, &letter.token, stored.outcome).await {
            Ok(kind) => {
                let delivery = if kind == Kind::Delivered { Delivery::Delivered } else { Delivery::Expired };
                ports.callbacks.mark(letter.token, delivery).await?;
                ports.callbacks.redriven(letter.id).await?;
                result.delivered += 1;
            }
            Err(_) => result.remaining += 1,
        }
    }
    Ok(result)
}
