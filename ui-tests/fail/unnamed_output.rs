use durable_runtime::prelude::*;

#[durable_step]
async fn double(n: u32) -> impl std::fmt::Display {
    n * 2
}

fn main() {}
