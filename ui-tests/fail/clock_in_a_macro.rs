use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    println!("{:?}", std::time::Instant::now());
    1
}

fn main() {}
