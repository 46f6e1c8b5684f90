use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn execution(orders: Vec<Order>) -> Result<u32, PayError> {
    match orders.into_iter().map(|order| charge(order)).next() {
        Some(first) => first.await,
        None => Ok(1),
    }
}
