use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn execution(order: Order) -> Result<u32, PayError> {
    let receipt: String = charge(order).await?;
    Ok(receipt.len() as u32)
}

fn main() {}
