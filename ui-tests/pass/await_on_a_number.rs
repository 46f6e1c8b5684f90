use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u32 {
    let n = 1_u32;
    n
}
