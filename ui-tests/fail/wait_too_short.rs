use durable_runtime::prelude::*;

use std::time::Duration;

#[durable_execution]
async fn execution() -> u64 {
    wait(Duration::from_millis(200)).await;
    1
}

fn main() {}
