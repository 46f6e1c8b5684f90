use durable_runtime::prelude::*;
use ui_tests::{PayError, plain};

#[durable_execution]
async fn execution(items: Vec<u32>) -> Result<Vec<u32>, PayError> {
    map(items, |n| async move { step!("plain", { plain(n).await }).await }).await
}
