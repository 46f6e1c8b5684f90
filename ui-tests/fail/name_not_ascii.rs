use durable_runtime::prelude::*;

#[durable_step(name = "prüfen")]
async fn check(n: u32) -> u32 {
    n
}

fn main() {}
