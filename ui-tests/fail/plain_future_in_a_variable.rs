use durable_runtime::prelude::*;
use ui_tests::{PayError, plain};

#[durable_execution]
async fn execution() -> Result<u32, PayError> {
    let future = plain(1);
    future.await
}

fn main() {}
