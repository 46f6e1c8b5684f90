use durable_runtime::prelude::*;

use std::time::Duration;

#[durable_execution]
async fn execution() -> u64 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    1
}

fn main() {}
