use durable_runtime::prelude::*;
use ui_tests::charge, Order, PayError;

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    tracing::info!("charged {}", charge(order).await?);
    Ok(1)
}

fn main() {}
