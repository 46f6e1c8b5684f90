use durable_runtime::prelude::*;

#[durable_step(name = "double", retry(none), name = "twice")]
async fn double(n: u32) -> u32 {
    n * 2
}

fn main() {}
