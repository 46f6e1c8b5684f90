use durable_runtime::prelude::*;

#[durable_execution(version = 3)]
async fn pay(cents: u64) -> u64 {
    versioned!(from 2 => cents, from 3 => cents + 1, else 0)
}

fn main() {}
