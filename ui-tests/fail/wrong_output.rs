use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u32 {
    "one"
}

fn main() {}
