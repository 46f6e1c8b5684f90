use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let mut n = 1;
    step!("add", { n += 1 }).await;
    n
}

fn main() {}
