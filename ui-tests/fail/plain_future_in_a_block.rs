use durable_runtime::prelude::*;
use ui_tests::{PayError, plain};

#[durable_execution]
async fn execution() -> Result<u32, PayError> {
    async { plain(1).await }.await
}

fn main() {}
