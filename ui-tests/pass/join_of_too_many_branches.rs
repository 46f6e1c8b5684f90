use durable_runtime::prelude::*;

#[durable_step]
async fn b() -> u64 {
    1
}

#[durable_execution]
async fn execution() -> u64 {
    join!(b(), join!(b(), b(), b(), b(), b(), b(), b(), b(), b(), b(), b(), b())).await;
    1
}
