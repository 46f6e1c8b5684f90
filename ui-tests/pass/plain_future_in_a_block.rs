use durable_runtime::prelude::*;
use ui_tests::{PayError, plain};

#[durable_execution]
async fn execution() -> Result<u32, PayError> {
    async { step!("plain", { plain(1).await }).await }.await
}
