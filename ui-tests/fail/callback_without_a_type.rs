use durable_runtime::prelude::*;
use ui_tests::{PayError, notify};

#[durable_execution]
async fn execution() -> Result<u32, PayError> {
    let answer = callback("approval").submit(|id| notify(id)).await?;
    drop(answer);
    Ok(1)
}

fn main() {}
