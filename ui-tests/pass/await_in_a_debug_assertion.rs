use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let checked = step!("check", { true }).await;
    debug_assert!(checked);
    1
}
