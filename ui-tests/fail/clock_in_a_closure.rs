use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let started = [1].map(|_| std::time::SystemTime::now());
    started.len() as u64
}

fn main() {}
