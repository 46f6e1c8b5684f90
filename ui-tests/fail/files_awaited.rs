use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> String {
    tokio::fs::read_to_string("orders").await.unwrap_or_default()
}

fn main() {}
