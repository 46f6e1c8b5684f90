use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let _id = uuid().await;
    1
}
