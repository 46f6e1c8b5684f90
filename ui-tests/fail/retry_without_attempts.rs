use durable_runtime::prelude::*;

#[durable_step(retry(max_attempts = 0))]
async fn double(n: u32) -> u32 {
    n * 2
}

fn main() {}
