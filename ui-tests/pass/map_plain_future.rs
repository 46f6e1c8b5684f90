use durable_runtime::prelude::*;
use ui_tests::plain, PayError;

#[durable_execution]
async fn execution(items: Vec<u32>) -> Result<Vec<u32>, PayError> {
    map(items, |n| step!("plain", { plain(n).await })).await
}
