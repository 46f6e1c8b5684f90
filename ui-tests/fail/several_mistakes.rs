use durable_runtime::prelude::*;

#[durable_step(retries = 3, name = "")]
fn double(n: &mut u32) -> u32 {
    *n * 2
}

fn main() {}
