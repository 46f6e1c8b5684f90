use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn execution(order: Order) -> Result<u32, PayError> {
    charge(order.clone()).await?;
    charge(order).await
}
