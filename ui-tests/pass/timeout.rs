use durable_runtime::prelude::*;

use std::time::Duration;

#[durable_execution]
async fn execution() -> u64 {
    race!(async { 1 }, async {
        wait(Duration::from_secs(1)).await;
        2
    })
    .await
}
