use durable_runtime::prelude::*;

#[durable_step(compensate = refund)]
async fn charge(cents: u64) -> Result<u64, Error> {
    Ok(cents)
}

async fn refund(_: u64) -> Result<(), Error> {
    Ok(())
}

fn main() {}
