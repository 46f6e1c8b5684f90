use durable_runtime::prelude::*;
use ui_tests::{Order, charge};

#[durable_execution]
async fn foreground(order: Order) {
    let _ = charge(order).await;
}
