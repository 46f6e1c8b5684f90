use durable_runtime::prelude::*;

#[durable_execution]
async fn double(n: u32) -> u32 {
    doubled(n).await
}

#[durable_step(retry(max_attempts = 3))]
async fn doubled(n: u32) -> u32 {
    n * 2
}
