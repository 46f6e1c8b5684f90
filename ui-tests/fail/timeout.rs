use durable_runtime::prelude::*;

use std::time::Duration;

#[durable_execution]
async fn execution() -> u64 {
    tokio::time::timeout(Duration::from_secs(1), std::future::ready(1)).await.unwrap_or(2)
}

fn main() {}
