use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    step!("one", retry(max_attempts = 3), { 1 }).await
}
