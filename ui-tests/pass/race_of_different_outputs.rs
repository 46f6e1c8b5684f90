use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    race!(async { 1 }, async { 2 }).await
}
