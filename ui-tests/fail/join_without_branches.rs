use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    join!().await;
    1
}

fn main() {}
