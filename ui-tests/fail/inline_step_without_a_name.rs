use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    step!({ 1 }).await
}

fn main() {}
