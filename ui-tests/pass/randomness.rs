use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    random::<u64>().await
}
