use durable_runtime::prelude::*;
use ui_tests::PayError;

#[durable_execution]
async fn execution(items: Vec<u32>) -> Result<Vec<u32>, PayError> {
    map(items, |n| step!("plain", move { ui_tests::plain(n).await })).await
}

fn main() {}
