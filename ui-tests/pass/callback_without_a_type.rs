use durable_runtime::prelude::*;
use ui_tests::{PayError, notify};

#[durable_execution]
async fn execution() -> Result<u32, PayError> {
    let answer: bool = callback("approval").submit(|id| notify(id)).await?;
    Ok(u32::from(answer))
}
