use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    step!("one", { 1 }).await
}
