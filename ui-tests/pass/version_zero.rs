use durable_runtime::prelude::*;

#[durable_execution(version = 1)]
async fn pay(cents: u64) -> u64 {
    cents
}
