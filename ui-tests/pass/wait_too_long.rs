use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    for _ in 0..2 {
        wait("200d").await;
    }
    1
}
