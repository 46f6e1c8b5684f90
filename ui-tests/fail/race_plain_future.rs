use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge, plain};

#[durable_execution]
async fn execution(order: Order) -> Result<u32, PayError> {
    race!(charge(order), plain(2)).await
}

fn main() {}
