use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    tracing::info!("charged {}", charge(order).await?);
    Ok(1)
}

fn main() {}
