use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    let name = format!("charge for {}", order.id);
    charge(order).named(name).await
}

fn main() {}
