use durable_runtime::prelude::*;
use ui_tests::{PayError, plain};

#[durable_execution]
async fn execution() -> Result<u32, PayError> {
    let all = vec![plain(1).await?, 2];
    Ok(all.len() as u32)
}

fn main() {}
