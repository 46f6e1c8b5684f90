use durable_runtime::prelude::*;

use std::time::Duration;

#[durable_execution]
async fn execution() -> u64 {
    wait(Duration::from_hours(9_600)).await;
    1
}

fn main() {}
