use durable_runtime::prelude::*;
use ui_tests::PayError;

async fn send(_: CallbackId) -> Result<(), PayError> {
    Ok(())
}

#[durable_execution]
async fn execution() -> Result<bool, PayError> {
    let approved: bool = callback("approval").submit(|id| send(id)).await?;
    Ok(approved)
}

fn main() {}
