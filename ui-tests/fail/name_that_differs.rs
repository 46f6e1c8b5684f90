use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge};

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    charge(order).named(format!("charge by {}", std::process::id())).await
}

fn main() {}
