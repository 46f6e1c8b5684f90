use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn durable(order: Order) -> Result<u32, PayError> {
    let n = charge(order).await?;
    Ok(n)
}
