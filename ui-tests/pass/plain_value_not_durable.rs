use durable_runtime::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Receipt(u32);

#[durable_step]
async fn charge(n: u32) -> Receipt {
    Receipt(n)
}
