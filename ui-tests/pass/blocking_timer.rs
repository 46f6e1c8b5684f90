use durable_runtime::prelude::*;

use std::time::Duration;

#[durable_execution]
async fn execution() -> u64 {
    wait(Duration::from_secs(1)).await;
    1
}
