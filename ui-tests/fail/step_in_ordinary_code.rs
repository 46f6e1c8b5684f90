use durable_runtime::prelude::*;
use ui_tests::charge, Order, PayError;

async fn ordinary(order: Order) -> Result<u32, PayError> {
    let n = charge(order).await?;
    Ok(n)
}

fn main() {}
