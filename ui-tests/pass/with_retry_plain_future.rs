use durable_runtime::prelude::*;

#[durable_step]
async fn charge(cents: u64) -> Result<u64, Error> {
    Ok(cents)
}

#[durable_execution]
async fn pay(cents: u64) -> Result<u64, Error> {
    with_retry(RetryPolicy::DEFAULT, |_| charge(cents)).await
}
