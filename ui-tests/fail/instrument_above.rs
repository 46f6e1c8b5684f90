use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[tracing::instrument(skip_all)]
#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    charge(order).await
}

fn main() {}
