use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let (a, b) = tokio::join!(std::future::ready(1), std::future::ready(2));
    a + b
}

fn main() {}
