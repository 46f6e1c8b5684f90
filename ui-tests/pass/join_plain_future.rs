use durable_runtime::prelude::*;
use ui_tests::{Order, PayError, charge, plain};

#[durable_execution]
async fn execution(order: Order) -> Result<u32, PayError> {
    let (a, b) = join!(charge(order), step!("plain", { plain(2).await })).await;
    Ok(a? + b?)
}
