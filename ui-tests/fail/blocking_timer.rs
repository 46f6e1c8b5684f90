use durable_runtime::prelude::*;

use std::time::Duration;

#[durable_execution]
async fn execution() -> u64 {
    std::thread::sleep(Duration::from_secs(1));
    1
}

fn main() {}
