use durable_runtime::prelude::*;
use ui_tests::PayError;

#[durable_step(at_most_once)]
async fn ship(n: u32) -> Result<u32, PayError> {
    Ok(n)
}
