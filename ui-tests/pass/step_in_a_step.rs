use durable_runtime::prelude::*;
use ui_tests::charge, Order, PayError;

#[durable_execution]
async fn twice(order: Order) -> Result<u32, PayError> {
    Ok(charge(order.clone()).await? + charge(order).await?)
}
