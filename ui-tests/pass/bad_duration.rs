use durable_runtime::prelude::*;
use ui_tests::PayError;

#[durable_step(timeout = "21d")]
async fn double(n: u32) -> Result<u32, PayError> {
    Ok(n * 2)
}
