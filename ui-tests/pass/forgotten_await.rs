use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[deny(unused_must_use)]
#[durable_execution]
async fn execution(order: Order) -> Result<u32, PayError> {
    charge(order).await?;
    Ok(1)
}
