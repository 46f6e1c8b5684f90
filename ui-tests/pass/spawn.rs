use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    step!("spawn", { tokio::spawn(async { 1 }).await.unwrap_or_default() }).await
}
