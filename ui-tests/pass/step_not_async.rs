use durable_runtime::prelude::*;

#[durable_step]
async fn double(n: u32) -> u32 {
    n * 2
}

#[durable_execution]
async fn caller() -> u32 {
    double(1).await
}
