use durable_runtime::prelude::*;

#[durable_step]
async fn charge(cents: u64) -> Result<u64, Error> {
    Ok(cents)
}

#[durable_execution]
async fn pay(cents: u64) -> Result<u64, Error> {
    versioned!(from 2 => charge(cents).await, else Ok(cents))
}

fn main() {}
