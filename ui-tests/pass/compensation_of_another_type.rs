use durable_runtime::prelude::*;

#[durable_step(compensate = refund)]
async fn charge(cents: u64) -> Result<String, Error> {
    Ok(cents.to_string())
}

#[durable_step]
async fn refund(_: String) -> Result<(), Error> {
    Ok(())
}
