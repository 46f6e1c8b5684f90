//! A durable execution as a Lambda function: build it with
//! `cargo build --profile function --example bootstrap --features lambda`, and put it into a zip as `bootstrap`.

use std::time::Duration;

use durable_runtime::{lambda, prelude::*};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    id: u64,
    cents: u64,
}

#[durable_step(retry(max_attempts = 5, initial_delay = "1s"))]
async fn reserve(order: &Order) -> Result<String, Error> {
    tracing::info!(order = order.id, "reserving");
    Ok(format!("reservation-{}", order.id))
}

#[durable_step(retry(max_attempts = 5, initial_delay = "1s"))]
async fn charge(reservation: &str, cents: u64) -> Result<String, Error> {
    tracing::info!(cents, "charging");
    Ok(format!("receipt for {reservation}: {cents} cents"))
}

#[durable_execution]
async fn checkout(order: Order) -> Result<String, Error> {
    let reservation = reserve(&order).await?;
    wait(Duration::from_secs(60)).await;
    let approval = callback::<String>("approval").timeout("24h").create().await;
    let approver = approval.result().await?;
    tracing::info!(approver, "approved");
    charge(&reservation, order.cents).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::Error> {
    lambda::init_logging();
    lambda::run(checkout).await
}
