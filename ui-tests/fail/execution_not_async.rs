use durable_runtime::prelude::*;

#[durable_execution]
fn double(n: u32) -> u32 {
    n * 2
}

fn main() {}
