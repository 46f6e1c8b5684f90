use durable_runtime::prelude::*;
use ui_tests::charge, plain, Order, PayError;

#[durable_execution]
async fn execution(order: Order) -> Result<u32, PayError> {
    race!(charge(order), step!("plain", { plain(2).await })).await
}
