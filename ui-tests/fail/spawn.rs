use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    tokio::spawn(async { 1 });
    1
}

fn main() {}
