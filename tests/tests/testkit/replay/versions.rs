//! A workflow as it was recorded, and as it is after each change.

use std::time::Duration;

use durable_runtime::prelude::*;
use durable_testing::effect;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Receipt {
    pub(super) order: u32,
    pub(super) cents: u64,
}

#[durable_step]
pub(super) async fn reserve(order: u32) -> Result<u32, Error> {
    effect("reserve");
    Ok(order)
}

#[durable_step(retry(max_attempts = 3, initial_delay = "5s"))]
pub(super) async fn charge(order: u32) -> Result<Receipt, Error> {
    effect("charge");
    if step_attempt() == Some(1) { Err(Error::new("busy")) } else { Ok(Receipt { order, cents: 995 }) }
}

#[durable_step]
pub(super) async fn bill(order: u32) -> Result<Receipt, Error> {
    Ok(Receipt { order, cents: 995 })
}

#[durable_step]
pub(super) async fn ship(receipt: Receipt) -> Result<String, Error> {
    effect("ship");
    Ok(format!("parcel {}", receipt.order))
}

#[durable_step]
pub(super) async fn check(order: u32) -> Result<Receipt, Error> {
    Ok(Receipt { order, cents: 0 })
}

#[durable_execution]
pub(super) async fn recorded(order: u32) -> Result<String, Error> {
    reserve(order).await?;
    let receipt = charge(order).await?;
    let _: bool = callback("approval").create().await.result().await?;
    ship(receipt).await
}

#[durable_execution]
pub(super) async fn inserted(order: u32) -> Result<String, Error> {
    reserve(order).await?;
    check(order).await?;
    let receipt = charge(order).await?;
    let _: bool = callback("approval").create().await.result().await?;
    ship(receipt).await
}

#[durable_execution]
pub(super) async fn inserted_wait(order: u32) -> Result<String, Error> {
    reserve(order).await?;
    wait(Duration::from_secs(1)).await;
    let receipt = charge(order).await?;
    let _: bool = callback("approval").create().await.result().await?;
    ship(receipt).await
}

#[durable_execution]
pub(super) async fn inserted_last(order: u32) -> Result<String, Error> {
    reserve(order).await?;
    let receipt = charge(order).await?;
    let _: bool = callback("approval").create().await.result().await?;
    let shipped = ship(receipt).await?;
    check(order).await?;
    Ok(shipped)
}

#[durable_execution]
pub(super) async fn removed(order: u32) -> Result<String, Error> {
    let receipt = charge(order).await?;
    let _: bool = callback("approval").create().await.result().await?;
    ship(receipt).await
}

#[durable_execution]
pub(super) async fn reordered(order: u32) -> Result<String, Error> {
    let receipt = charge(order).await?;
    reserve(order).await?;
    let _: bool = callback("approval").create().await.result().await?;
    ship(receipt).await
}

#[durable_execution]
pub(super) async fn renamed(order: u32) -> Result<String, Error> {
    reserve(order).await?;
    let receipt = bill(order).await?;
    let _: bool = callback("approval").create().await.result().await?;
    ship(receipt).await
}

#[durable_execution]
pub(super) async fn retyped(order: u32) -> Result<String, Error> {
    reserve(order).await?;
    let receipt = charge(order).await?;
    let _: bool = invoke("approver", &order).named("approval").await?;
    ship(receipt).await
}

#[durable_execution]
pub(super) async fn unreadable(order: u32) -> Result<String, Error> {
    reserve(order).await?;
    let cents = step!("charge", { Ok::<u64, Error>(995) }).await?;
    let _: bool = callback("approval").create().await.result().await?;
    ship(Receipt { order, cents }).await
}

#[durable_execution]
pub(super) async fn other_code_same_operations(order: u32) -> Result<String, Error> {
    let reserved = reserve(order).await?;
    let receipt = charge(reserved + 1).await?;
    if callback::<bool>("approval").create().await.result().await? {
        ship(receipt).await
    } else {
        Ok(String::new())
    }
}
