use durable_runtime::prelude::*;

#[derive(Debug)]
struct Opaque;

#[durable_step]
async fn double(n: u32) -> Result<u32, Opaque> {
    Ok(n * 2)
}

fn main() {}
