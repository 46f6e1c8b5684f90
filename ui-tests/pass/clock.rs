use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let _started = now().await;
    1
}
