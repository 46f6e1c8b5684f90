use durable_runtime::prelude::*;
use ui_tests::{Order, PayError};

#[durable_execution]
async fn checkout(order: Order) -> Result<u32, PayError> {
    Ok(order.id)
}

fn serve() {
    let _ = durable_runtime::workflow(checkout);
}
