use durable_runtime::prelude::*;

#[durable_step(retry(max_attempts = 3), name = "double")]
async fn double(n: &u32) -> u32 {
    *n * 2
}
