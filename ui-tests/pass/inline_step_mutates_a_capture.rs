use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let n = 1;
    step!("add", { n + 1 }).await
}
