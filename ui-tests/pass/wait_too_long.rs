use durable_runtime::prelude::*;

use std::time::Duration;

#[durable_execution]
async fn execution() -> u64 {
    for _ in 0..2 {
        wait(Duration::from_hours(4_800)).await;
    }
    1
}
