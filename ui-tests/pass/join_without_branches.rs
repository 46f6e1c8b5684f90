use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    join!(async { 1 }).await;
    1
}
