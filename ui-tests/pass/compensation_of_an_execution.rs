use durable_runtime::prelude::*;

#[durable_execution]
async fn charge(cents: u64) -> Result<u64, Error> {
    take(cents).await
}

#[durable_step(compensate = refund)]
async fn take(cents: u64) -> Result<u64, Error> {
    Ok(cents)
}

#[durable_step]
async fn refund(_: u64) -> Result<(), Error> {
    Ok(())
}
