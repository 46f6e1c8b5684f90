use durable_runtime::prelude::*;
use ui_tests::PayError;

#[durable_step(timeout = 30)]
async fn double(n: u32) -> Result<u32, PayError> {
    Ok(n * 2)
}

fn main() {}
