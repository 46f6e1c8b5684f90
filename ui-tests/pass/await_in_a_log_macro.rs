use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    let charged = charge(order).await?;
    tracing::info!("charged {charged}");
    Ok(1)
}
