use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> String {
    std::env::var("HOME").unwrap_or_default()
}

fn main() {}
