use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    wait("400d").await;
    1
}

fn main() {}
