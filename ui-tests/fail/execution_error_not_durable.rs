use durable_runtime::prelude::*;
use ui_tests::Order;

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, std::io::Error> {
    Ok(order.id)
}

fn main() {}
