use durable_runtime::prelude::*;

#[durable_step(at_most_once)]
async fn ship(n: u32) -> u32 {
    n
}

fn main() {}
