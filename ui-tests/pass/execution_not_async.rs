use durable_runtime::prelude::*;

#[durable_execution]
async fn double(n: u32) -> u32 {
    n * 2
}
