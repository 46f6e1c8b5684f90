use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn execution(orders: Vec<Order>) -> Result<Vec<u32>, PayError> {
    map(orders, async |order| charge(order).await).await
}

fn main() {}
