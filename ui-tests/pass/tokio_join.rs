use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let (a, b) = join!(async { 1 }, async { 2 }).await;
    a + b
}
