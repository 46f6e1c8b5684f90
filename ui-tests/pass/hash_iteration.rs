use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

use std::collections::{BTreeMap, HashMap};

#[durable_execution]
async fn checkout(orders: BTreeMap<u32, Order>) -> Result<u32, PayError> {
    let mut total = 0;
    for order in orders.values().cloned() {
        total += charge(order).await?;
    }
    Ok(total)
}

/// An iteration that awaits nothing is nobody's business.
#[durable_execution]
async fn sum(orders: HashMap<u32, u32>) -> u32 {
    let mut total = 0;
    for cents in orders.values() {
        total += cents;
    }
    total
}
