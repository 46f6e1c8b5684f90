use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    charge(order).await
}

#[durable_execution]
async fn caller(order: Order) -> Result<u32, PayError> {
    checkout(order).await
}
