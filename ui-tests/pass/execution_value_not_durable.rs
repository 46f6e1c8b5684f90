use durable_runtime::prelude::*;
use ui_tests::PayError;

#[derive(serde::Serialize, serde::Deserialize)]
struct Receipt(u32);

#[durable_execution]
async fn checkout(n: u32) -> Result<Receipt, PayError> {
    Ok(Receipt(n))
}
