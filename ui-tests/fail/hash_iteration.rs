use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

use std::collections::HashMap;

#[durable_execution]
async fn checkout(orders: HashMap<u32, Order>) -> Result<u32, PayError> {
    let mut total = 0;
    for order in orders.values().cloned() {
        total += charge(order).await?;
    }
    Ok(total)
}

fn main() {}
