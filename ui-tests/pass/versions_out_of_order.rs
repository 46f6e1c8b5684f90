use durable_runtime::prelude::*;

#[durable_execution(version = 3)]
async fn pay(cents: u64) -> u64 {
    versioned!(from 3 => cents + 1, from 2 => cents, else 0)
}
