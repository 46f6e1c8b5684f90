use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn execution(orders: Vec<Order>) -> Result<u32, PayError> {
    let first = orders.into_iter().map(|order| charge(order)).next();
    first.await.unwrap_or(Ok(1))
}

fn main() {}
