use durable_runtime::prelude::*;

#[durable_execution]
async fn execution() -> u64 {
    println!("{:?}", nondeterministic!(std::time::Instant::now()));
    1
}
