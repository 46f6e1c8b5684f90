use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

use std::collections::HashMap;

#[durable_execution]
async fn checkout(orders: HashMap<u32, Order>) -> Result<Vec<u32>, PayError> {
    map(orders.into_values(), |order| charge(order)).await
}

fn main() {}
