use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

use std::collections::HashMap;

#[durable_execution]
async fn checkout(orders: HashMap<u32, Order>) -> Result<Vec<u32>, PayError> {
    let mut orders: Vec<Order> = orders.into_values().collect();
    orders.sort_by_key(|order| order.id);
    map(orders, |order| charge(order)).await
}
