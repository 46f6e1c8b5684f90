use durable_runtime::prelude::*;
use ui_tests::charge, Order, PayError;

#[deny(unused_must_use)]
#[durable_execution]
async fn execution(order: Order) -> Result<u32, PayError> {
    charge(order).await?;
    Ok(1)
}
