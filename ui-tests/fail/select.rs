use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    tokio::select! {
        n = std::future::ready(1) => n,
        n = std::future::ready(2) => n,
    }
}

fn main() {}
