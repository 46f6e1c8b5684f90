use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    debug_assert!(step!("check", { true }).await);
    1
}

fn main() {}
