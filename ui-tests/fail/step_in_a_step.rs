use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_step]
async fn twice(order: Order) -> Result<u32, PayError> {
    Ok(charge(order).await? * 2)
}

fn main() {}
