use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    let started = [nondeterministic!(std::time::SystemTime::now())];
    started.len() as u64
}
