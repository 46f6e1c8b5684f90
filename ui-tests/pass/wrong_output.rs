use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u32 {
    1
}
