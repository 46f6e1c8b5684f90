//! What must not compile, and with which words.
//!
//! `fail/<mistake>.rs` holds one mistake, `fail/<mistake>.stderr` what the compiler says to it, and
//! `pass/<mistake>.rs` the correction. `TRYBUILD=overwrite cargo test -p ui-tests` rewrites the texts; review the
//! diff. Below is what the cases share.

use durable_runtime::prelude::*;
use serde::{Deserialize, Serialize};

/// What is bought.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Its number.
    pub id: u32,
}

/// Why it is not paid.
#[derive(Debug, Serialize, Deserialize)]
pub enum PayError {
    /// The card was refused.
    Declined,
    /// Nobody knows.
    Interrupted,
    /// The approval never came.
    NotApproved,
}

impl std::fmt::Display for PayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl From<Interrupted> for PayError {
    fn from(_: Interrupted) -> Self {
        Self::Interrupted
    }
}

impl From<CallbackError> for PayError {
    fn from(_: CallbackError) -> Self {
        Self::NotApproved
    }
}

/// A step.
#[durable_step]
pub async fn charge(order: Order) -> Result<u32, PayError> {
    if order.id == 0 { Err(PayError::Declined) } else { Ok(order.id) }
}

/// A step that passes a callback on.
#[durable_step]
pub async fn notify(id: CallbackId) -> Result<(), PayError> {
    println!("{id:?}");
    Ok(())
}

/// An ordinary async function.
///
/// # Errors
///
/// None, but its type says so.
pub async fn plain(n: u32) -> Result<u32, PayError> {
    Ok(std::future::ready(n).await)
}
