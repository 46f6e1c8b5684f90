use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    u64::from(nondeterministic!(std::process::id()))
}
