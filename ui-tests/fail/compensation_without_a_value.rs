use durable_runtime::prelude::*;

#[durable_step(compensate)]
async fn charge(cents: u64) -> Result<u64, Error> {
    Ok(cents)
}

fn main() {}
