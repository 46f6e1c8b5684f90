use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    step!("one", retries = 3, { 1 }).await
}

fn main() {}
