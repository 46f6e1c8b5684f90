use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
#[tracing::instrument(skip_all)]
async fn checkout(order: Order) -> Result<u32, PayError> {
    Ok(order.id)
}
