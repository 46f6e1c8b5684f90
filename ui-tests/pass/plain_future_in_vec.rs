use durable_runtime::prelude::*;
use ui_tests::{PayError, plain};

#[durable_execution]
async fn execution() -> Result<u32, PayError> {
    let all = vec![step!("plain", { plain(1).await }).await?, 2];
    Ok(all.len() as u32)
}
