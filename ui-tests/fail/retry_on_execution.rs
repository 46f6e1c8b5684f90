use durable_runtime::prelude::*;

#[durable_execution(retry(max_attempts = 3))]
async fn double(n: u32) -> u32 {
    n * 2
}

fn main() {}
