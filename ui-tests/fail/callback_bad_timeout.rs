use durable_runtime::prelude::*;
use ui_tests::{PayError, notify};

#[durable_execution]
async fn approve() -> Result<bool, PayError> {
    let approved: bool = callback("approval").timeout("24").submit(|id| notify(id)).await?;
    Ok(approved)
}

fn main() {}
