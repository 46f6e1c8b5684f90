use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> String {
    std::fs::read_to_string("orders").unwrap_or_default()
}

fn main() {}
